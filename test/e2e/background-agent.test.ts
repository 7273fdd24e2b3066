import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { patienceMs } from '../patience.ts'
import { eventually } from '../world/panel.ts'
import { startTunnelsWorld, type TunnelsWorld } from '../world/tunnels-world.ts'

let world: TunnelsWorld
let port: string
const service = createServer((_, reply) => reply.end('hello from here'))
before(async () => {
  world = await startTunnelsWorld()
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  port = String((service.address() as AddressInfo).port)
})
after(async () => {
  service.closeAllConnections()
  service.close()
  await world[Symbol.asyncDispose]()
})

const stateFolder = (): string => join(world.home, '.local', 'state', 'pharos', 'agent')

/** What a command that must go well prints. */
async function done(...line: string[]): Promise<string> {
  const { code, data, talk } = await world.ran(line)
  assert.equal(code, 0, `pharos ${line.join(' ')}: ${talk}`)
  return data
}
// biome-ignore lint/suspicious/noExplicitAny: tests look at the output as a script would that knows no schema
const json = async (...line: string[]): Promise<any> => JSON.parse(await done(...line, '--json'))

const agentPid = async (): Promise<number | null> => (await json('status')).agent?.pid ?? null
const gone = (pid: number): Promise<boolean> =>
  eventually(() => {
    try {
      process.kill(pid, 0)
      return false
    } catch {
      return true
    }
  }, `process ${pid} has ended`)

describe('the background agent', { timeout: 3 * patienceMs }, () => {
  afterEach(async () => {
    const pid = await agentPid()
    if (pid === null) return
    await done('close', '--all')
    await done('agent', 'stop')
    await gone(pid)
  })

  test('opens tunnels for commands that have ended, tells of them, and closes them', async () => {
    const { name, url, local } = await json('open', port, '--as', 'web', '--detach')
    assert.deepEqual([name, local], ['web', `localhost:${port}`])
    assert.equal((await world.visit(url)).body, 'hello from here')
    assert.partialDeepStrictEqual((await json('list')).tunnels, [
      { name: 'web', background: { local, state: 'open', keep: false, workspace: 'acme' } },
    ])
    assert.match(await done('logs', 'web'), /web is open at http:\/\/web\.acme/)
    assert.deepEqual(await json('open', port, '--as', 'web', '--detach'), { name, url, local })
    await done('close', 'web', '--keep-name')
    assert.partialDeepStrictEqual((await json('list')).tunnels, [{ name: 'web', background: null }])
    await eventually(async () => (await json('list')).tunnels[0].open === false, 'the edge has closed it')
    assert.deepEqual((await json('close', 'web')).closed.length, 1)
    assert.deepEqual((await json('list')).tunnels, [])
  })

  test('ends by itself when it has nothing left to do', async () => {
    await done('open', port, '--as', 'web', '--detach')
    const pid = (await agentPid()) ?? assert.fail('it does not run')
    await done('close', 'web')
    await gone(pid)
    assert.equal(await agentPid(), null)
  })

  test('has no secret in its arguments and its environment, and its socket is for its user alone (S17)', async () => {
    const env = { PHAROS_URL: world.url, PHAROS_API_KEY: world.acme.key, DATABASE_PASSWORD: 'hunter2' }
    const opened = await world.ran(['open', port, '--as', 'web', '--detach', '--keep'], { env })
    assert.equal(opened.code, 0, opened.talk)
    const pid = await agentPid()
    for (const file of ['cmdline', 'environ']) {
      const text = await readFile(`/proc/${pid}/${file}`, 'utf8')
      assert.ok(!text.includes(world.acme.key) && !text.includes('hunter2'), file)
    }
    assert.equal((await stat(stateFolder())).mode & 0o777, 0o700)
    for (const file of ['agent.sock', 'agent.log', 'kept.json'])
      assert.equal((await stat(join(stateFolder(), file))).mode & 0o777, 0o600, file)
    // The account file has the key, so nothing else needs to.
    assert.ok(!(await readFile(join(stateFolder(), 'kept.json'), 'utf8')).includes(world.acme.key))
  })

  test('comes back after it was killed, with what is to be kept and without the rest', async () => {
    const { url } = await json('open', port, '--as', 'kept', '--detach', '--keep')
    await done('open', port, '--as', 'passing', '--detach')
    const pid = (await agentPid()) ?? assert.fail('it does not run')
    process.kill(pid, 'SIGKILL')
    await gone(pid)
    assert.ok((await stat(join(stateFolder(), 'agent.sock'))).isSocket())
    assert.equal(await agentPid(), null)
    const started = await json('agent', 'start')
    assert.deepEqual(
      started.tunnels.map((tunnel: { name: string }) => tunnel.name),
      ['kept'],
    )
    await eventually(async () => (await world.visit(url)).status === 200, 'the kept tunnel serves again')
  })

  test('is one, however many commands start it at the same moment', async () => {
    const names = ['a', 'b', 'c']
    await Promise.all(names.map((name) => done('open', port, '--as', name, '--detach')))
    const { agent } = await json('status')
    assert.deepEqual(agent.tunnels.map((tunnel: { name: string }) => tunnel.name).sort(), names)
  })

  test('gives up a tunnel that is closed elsewhere, and does not bring it back', async () => {
    await done('open', port, '--as', 'web', '--detach', '--keep')
    const { tunnels } = await world.acme.acme.tunnels()
    await world.acme.acme.deleteTunnel({ params: { tunnel: tunnels[0]?.id ?? '' } })
    await eventually(async () => ((await json('status')).agent?.tunnels ?? []).length === 0, 'it is given up')
    await eventually(
      async () => JSON.parse(await readFile(join(stateFolder(), 'kept.json'), 'utf8')).tunnels.length === 0,
      'it is not kept any more',
    )
  })

  test('is followed for as long as it lives', async () => {
    await done('open', port, '--as', 'web', '--detach')
    const following = world.start(['logs', 'web', '--follow'])
    await following.says(/web is open at/)
    await done('agent', 'stop')
    assert.equal(await following.ended, 0, following.output())
  })

  test('does not keep what could not be opened, and says why', async () => {
    const env = { PHAROS_URL: world.url, PHAROS_API_KEY: 'phk_wrong' }
    const { code, talk, data } = await world.ran(['open', port, '--as', 'web', '--detach', '--keep'], { env })
    assert.deepEqual([code, data], [1, ''])
    assert.match(talk, /key/i)
    assert.deepEqual((await json('status')).agent?.tunnels ?? [], [])
  })
})

describe('commands of the background agent', () => {
  test('say that none is running', async () => {
    assert.deepEqual(await json('agent', 'stop'), { stopped: false })
    const { code, talk } = await world.ran(['logs', '--follow'])
    assert.equal(code, 1)
    assert.match(talk, /No background agent is running.*--detach/)
  })

  test('hand no key to a folder that is open to others (S17)', async () => {
    await chmod(stateFolder(), 0o755)
    const { code, talk } = await world.ran(['open', port, '--detach'])
    await chmod(stateFolder(), 0o700)
    assert.equal(code, 1)
    assert.match(talk, /must be yours and closed to others.*chmod 700/)
  })

  test('refuse what makes no sense together', async () => {
    const keep = await world.ran(['open', port, '--keep'])
    assert.deepEqual([keep.code, /--keep is for --detach/.test(keep.talk)], [2, true])
    const close = await world.ran(['close'])
    assert.deepEqual([close.code, /Say which tunnel to close, or --all/.test(close.talk)], [2, true])
  })
})
