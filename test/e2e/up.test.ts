import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { patienceMs } from '../patience.ts'
import { type PortRange, reservePorts } from '../ports.ts'
import { type Command, startCommand } from '../world/pharos-command.ts'

/** The product as people start it, from the sources: one process for `up`, one for each command. */
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

let home: string
let dataDir: string
let edgePorts: PortRange
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'pharos-up-'))
  dataDir = join(home, 'data')
  edgePorts = await reservePorts(20)
})
after(() => rm(home, { recursive: true, force: true }))

const pharos = (...args: string[]): Command => startCommand(main, home, dataDir, args)

const rangeOf = ({ first, last }: PortRange): string => `${first}-${last}`
const up = (...args: string[]): Command =>
  pharos(
    'up',
    ...['--port', '0', '--edge-http-port', '0', '--edge-minecraft-port', '0', '--edge-ports', rangeOf(edgePorts)],
    ...args,
  )

async function ran(...args: string[]): Promise<{ code: number | null; output: string }> {
  const running = pharos(...args)
  return { code: await running.ended, output: running.output() }
}

describe('pharos up, and the commands that talk to it', { timeout: 4 * patienceMs }, () => {
  let running: Command
  let edgePort: number
  before(async () => {
    running = up()
    await running.says(/Ctrl-C stops Pharos/)
    edgePort = Number(/Tunnels\s+http:\/\/<name>\.<workspace>\.localhost:(\d+)/.exec(running.output())?.[1])
  })
  after(async () => {
    running.child.kill('SIGKILL')
    await running.ended
  })

  test('says where the panel is, where tunnels appear, and how to own it', () => {
    const output = running.output()
    assert.match(output, /Panel\s+http:\/\/127\.0\.0\.1:\d+\n/)
    const ports = rangeOf(edgePorts)
    assert.match(
      output,
      new RegExp(`Tunnels\\s+http://<name>\\.<workspace>\\.localhost:\\d+, and ports ${ports} of 127\\.0\\.0\\.1`),
    )
    assert.match(output, /This link creates the owner account, once:\n {2}http:\/\/127\.0\.0\.1:\d+\/setup#phs_/)
    assert.doesNotMatch(output, /not linked/)
  })

  test('keeps what it tells commands on this machine for its user alone', async () => {
    for (const name of ['instance.json', 'panel/setup-secret', 'panel.lock'])
      assert.equal((await stat(join(dataDir, name))).mode & 0o077, 0, name)
  })

  test('refuses a second one on the same data folder, and names the first', async () => {
    const second = up()
    assert.equal(await second.ended, 1)
    assert.match(second.output(), new RegExp(`is in use by process ${running.child.pid}`))
  })

  test('refuses a port that is taken, and names the flag', async () => {
    const port = /Panel\s+http:\/\/127\.0\.0\.1:(\d+)/.exec(running.output())?.[1] ?? ''
    const other = join(home, 'other')
    const panel = await ran('panel', '--port', port, '--data-dir', other)
    assert.equal(panel.code, 1)
    assert.match(panel.output, new RegExp(`Port ${port} on 127.0.0.1 is already in use.*--port`))
    const edge = await ran(
      'up',
      ...['--port', '0', '--edge-minecraft-port', '0', '--edge-http-port', String(edgePort), '--data-dir', other],
    )
    assert.equal(edge.code, 1)
    assert.match(edge.output, new RegExp(`Port ${edgePort} on 0.0.0.0 is already in use.*--edge-http-port`))
  })

  test('refuses a set-up with a slug or a password that the API refuses, and is then still to be set up', async () => {
    const slug = await ran('setup', '--email', 'ada@example.com', '--workspace', 'Acme', '--slug', 'a-b')
    assert.equal(slug.code, 2)
    const password = pharos('setup', '--email', 'ada@example.com', '--workspace', 'Acme', '--password-stdin')
    assert.equal(await password.ended, 1)
    assert.match(password.output(), /password/)
  })

  test('is set up once, by one command', async () => {
    const { code, output } = await ran('setup', '--email', 'ada@example.com', '--workspace', 'Acme', '--json')
    assert.equal(code, 0, output)
    const reply = JSON.parse(output.slice(output.indexOf('{')))
    assert.match(reply.token, /^phk_/)
    assert.equal(reply.workspace.slug, 'acme')
    assert.equal((await stat(join(home, '.config', 'pharos', 'account.json'))).mode & 0o777, 0o600)
    const again = await ran('setup', '--email', 'eve@example.com', '--workspace', 'Evil')
    assert.equal(again.code, 1)
    assert.match(again.output, /already set up/)
  })

  test('answers commands with the saved account', async () => {
    const status = await ran('status', '--json')
    assert.equal(status.code, 0, status.output)
    assert.partialDeepStrictEqual(JSON.parse(status.output), {
      workspace: { slug: 'acme', tunnelBase: 'acme.localhost' },
    })
    const templates = await ran('templates', 'list')
    assert.match(templates.output, /minecraft[\s\S]*openttd/)
    const nodes = JSON.parse((await ran('nodes', 'list', '--json')).output)
    assert.deepEqual(
      nodes.nodes.map(({ name, online }: { name: string; online: boolean }) => [name, online]),
      [['local', true]],
    )
    const missing = await ran('servers', 'show', 'nothing')
    assert.equal(missing.code, 1)
    assert.match(missing.output, /No server is called "nothing"/)
    const template = await ran('servers', 'create', 'x', '--template', 'nothing')
    assert.equal(template.code, 1)
    assert.match(template.output, /nothing/)
  })

  test('revokes a key, which then gets a clear answer', async () => {
    const made = await ran('tokens', 'create', '--label', 'ci', '--json')
    const { id, token } = JSON.parse(made.output.slice(made.output.indexOf('{')))
    assert.match(token, /^phk_/)
    const revoked = await ran('tokens', 'revoke', id)
    assert.match(revoked.output, /is revoked/)
    assert.equal((await ran('tokens', 'revoke', id)).code, 1)
  })

  test('puts a local port on the edge, until Ctrl-C', async (t) => {
    const local = createServer((_, reply) => reply.end('hello from here')).listen(0, '127.0.0.1')
    t.after(() => local.close())
    await once(local, 'listening')
    const { port } = local.address() as AddressInfo
    const open = pharos('open', String(port), '--as', 'web')
    const [, url = ''] = await open.says(/(http:\/\/web\.acme\.localhost:\d+) ->/)
    const answer = await new Promise<string>((resolve, reject) => {
      const { hostname } = new URL(url)
      request({ host: '127.0.0.1', port: edgePort, headers: { host: `${hostname}:${edgePort}` } }, (reply) => {
        reply.setEncoding('utf8').once('data', resolve)
      })
        .on('error', reject)
        .end()
    })
    assert.equal(answer, 'hello from here')
    open.child.kill('SIGINT')
    assert.equal(await open.ended, 0)
  })

  test('starts again after it was killed, and is still owned', async () => {
    running.child.kill('SIGKILL')
    await running.ended
    running = up()
    await running.says(/Ctrl-C stops Pharos/)
    assert.doesNotMatch(running.output(), /owner account/)
    const { url } = JSON.parse(await readFile(join(dataDir, 'instance.json'), 'utf8'))
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('ends in good order when it is told to, and leaves the folder free', async () => {
    running.child.kill('SIGTERM')
    assert.equal(await running.ended, 0)
    assert.match(running.output(), /Game servers keep running/)
    await assert.rejects(stat(join(dataDir, 'panel.lock')))
    await assert.rejects(stat(join(dataDir, 'instance.json')))
  })
})
