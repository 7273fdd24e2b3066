import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../src/client/index.ts'
import { apiPrefix, publicOperations } from '../../src/contract/api/index.ts'
import { testOnPostgres } from '../databases.ts'
import { reservePorts } from '../ports.ts'
import { type Command, startCommand } from '../world/pharos-command.ts'
import { until } from '../world/servers-world.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

testOnPostgres(
  'pharos up on two machines with one database: each has a node and an edge of its own, also after a restart',
  async (database) => {
    const home = await mkdtemp(join(tmpdir(), 'pharos-machines-'))
    await using running = new AsyncDisposableStack()
    running.defer(() => rm(home, { recursive: true, force: true }))
    const env = { PHAROS_DATABASE_URL: database.url.reveal(), PHAROS_LOG_LEVEL: 'info' }
    const up = async (name: string): Promise<Command> => {
      const { first, last } = await reservePorts(5)
      const started = startCommand(
        main,
        home,
        join(home, name),
        [
          ...['up', '--port', '0', '--edge-http-port', '0', '--edge-minecraft-port', '0', '--sftp-port', 'none'],
          ...['--docker-socket', 'none', '--edge-ports', `${first}-${last}`],
        ],
        { env },
      )
      running.defer(async () => {
        started.child.kill('SIGKILL')
        await started.ended
      })
      await started.says(/Ctrl-C stops Pharos/)
      assert.doesNotMatch(started.output(), /not linked/)
      return started
    }

    const first = await up('first')
    await mkdir(join(home, 'second', 'panel'), { recursive: true })
    await copyFile(join(home, 'first', 'panel', 'secrets.key'), join(home, 'second', 'panel', 'secrets.key'))
    const second = await up('second')
    const setup = startCommand(...([main, home, join(home, 'first')] as const), [
      'setup',
      '--email',
      'ada@example.com',
      '--workspace',
      'Acme',
      '--json',
    ])
    assert.equal(await setup.ended, 0, setup.output())
    const { token } = JSON.parse(setup.output().slice(setup.output().indexOf('{'))) as { token: string }
    const [, url = ''] = await first.says(/Panel\s+(http:\/\/127\.0\.0\.1:\d+)\n/)
    const api = createClient(publicOperations, { baseUrl: url + apiPrefix, token, checkReplies: true })
    const [, secondName] = await second.says(/\n\s+Node\s+(\S+)\n/)
    const machines = async () => {
      const [{ nodes }, { edges }] = await Promise.all([api.nodes(), api.edges({})])
      return {
        nodes: nodes.map(({ id, name, online }) => ({ id, name, online })),
        edges: edges.map(({ id, online }) => ({ id, online })),
      }
    }
    const bothHere = (): Promise<boolean> =>
      machines().then(
        ({ nodes, edges }) =>
          nodes.filter(({ online }) => online).length === 2 && edges.filter(({ online }) => online).length === 2,
      )
    await until('both are here', bothHere, { everyMs: 200 })
    const before = await machines()
    assert.deepEqual(before.nodes.map(({ name }) => name).sort(), ['local', secondName].sort())
    assert.equal(before.edges.length, 2)

    second.child.kill('SIGKILL')
    await second.ended
    const again = await up('second')
    await until('both are here again', bothHere, { everyMs: 200 })
    assert.deepEqual(await machines(), before)
    for (const { output } of [first, second, again])
      assert.doesNotMatch(output(), /newer link|replaced|does not know|no longer valid/)
  },
)
