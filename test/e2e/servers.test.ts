import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createClient, openSocket } from '../../src/client/index.ts'
import { apiPrefix, publicOperations, publicSockets } from '../../src/contract/api/index.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { randomText } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { startNode } from '../../src/node/index.ts'
import { PanelConfig } from '../../src/panel/config.ts'
import { startPanel } from '../../src/panel/panel.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { keyOf, until } from '../world/servers-world.ts'

/** A panel and a node that has joined it, each with a folder of its own. */
async function world(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-e2e-servers-'))
  const stack = new AsyncDisposableStack()
  t.after(async () => {
    await stack.disposeAsync()
    await rm(folder, { recursive: true, force: true })
  })
  const start = (port: number) =>
    startPanel(
      PanelConfig.parse({
        port,
        dataDir: join(folder, 'panel'),
        database: { kind: 'sqlite', file: join(folder, 'panel.db') },
        templatesDir: join(import.meta.dirname, '..', '..', 'templates'),
      }),
      {},
      { log: silentLog },
    )
  const port = await reservePort()
  let panel = await start(port)
  stack.defer(() => panel[Symbol.asyncDispose]())
  const { token } = await panel.setup({
    email: 'ada@example.com',
    password: 'correct horse battery',
    workspace: { name: 'Acme', slug: 'acme' },
  })
  const baseUrl = `http://127.0.0.1:${port}${apiPrefix}`
  const api = createClient(publicOperations, { baseUrl, token: token.reveal(), checkReplies: true })
  // However long something takes, asking whether it is there is not what ends the test.
  await api.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { joinToken } = await api.createNode({
    body: { name: 'machine', publicAddress: '127.0.0.1', ports: await reservePorts(2) },
  })
  const joining = decodeJoinToken(joinToken)
  const link = await dialLink({
    dialler: tlsDialler(joining.panel),
    hello: { role: 'join', version: 1, secret: joining.secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(link.greeting)
  link.close('joined')
  const dataDir = join(folder, 'node')
  stack.use(await startNode({ dataDir, panels: [joining.panel], credential }, { log: silentLog }))
  // A test that fails must not leave games running: the node would, on purpose.
  stack.defer(async () => {
    for (const { id } of await api.servers()) await api.deleteServer({ params: { serverId: keyOf(id) } })
  })
  await until('the node is here', async () => (await api.nodes()).nodes.some(({ online }) => online))
  return {
    api,
    baseUrl,
    dataDir,
    watch: (serverId: string) =>
      openSocket(publicSockets.serverEvents, { params: { serverId }, query: {} }, { baseUrl, token: token.reveal() }),
    async restartPanel() {
      await panel[Symbol.asyncDispose]()
      panel = await start(port)
      await until('the node is back', async () => (await api.nodes()).nodes.some(({ online }) => online))
    },
  }
}

/** Whether any process of this machine has the mark in its command line or environment. */
async function anyProcessWith(mark: string): Promise<boolean> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (line.includes(mark)) return true
  }
  return false
}

const exists = async (folder: string, name: string): Promise<boolean> =>
  (await readdir(folder, { recursive: true })).some((path) => path.includes(name))

test('a server lives on a real node: installed, started, heard, commanded, stopped, deleted without a trace', async (t) => {
  const { api, dataDir, watch, restartPanel } = await world(t)
  const mark = `mark${randomText(12)}`
  const script = `: ${mark}; echo up on $SERVER_PORT; while read -r line; do echo "got $line"; done`
  const made = await api.createServer({ body: { name: 'Echo', template: 'command', variables: { COMMAND: script } } })
  const params = { serverId: keyOf(made.id) }
  const status = async () => (await api.server({ params })).status
  await until('running', async () => (await status()) === 'running')
  await until('heard', async () => (await api.consoleLog({ params })).logs.some((line) => line.includes('up on')))
  const { allocations } = await api.allocations({ params })
  assert.ok((await api.consoleLog({ params })).logs.includes(`up on ${allocations[0]?.local}`))
  assert.ok(await anyProcessWith(mark))

  const socket = await watch(params.serverId)
  const lines: string[] = []
  const reading = (async () => {
    for await (const event of socket) if (event.type === 'console') lines.push(...event.lines.map((line) => line.text))
  })()
  await api.consoleCommand({ params, body: { command: 'one' } })
  socket.send({ type: 'command', command: 'two' })
  await until('both answers', () => lines.includes('got one') && lines.includes('got two'))
  assert.deepEqual(
    lines.filter((line) => line.startsWith('got')),
    ['got one', 'got two'],
  )
  const usage = await until('usage', async () => (await api.server({ params })).usage)
  assert.ok(usage.memoryBytes > 0)
  socket.close()
  await reading

  await restartPanel()
  await until('still running', async () => (await status()) === 'running')
  await api.consoleCommand({ params, body: { command: 'three' } })
  await until('third answer', async () => (await api.consoleLog({ params })).logs.includes('got three'))

  await api.power({ params, body: { action: 'stop' } })
  await until('offline', async () => (await status()) === 'offline')
  await assert.rejects(api.consoleCommand({ params, body: { command: 'four' } }), /It is not running/)
  assert.ok((await api.consoleLog({ params })).logs.includes('got one'))
  await api.power({ params, body: { action: 'start' } })
  await until('running again', async () => (await status()) === 'running')
  assert.ok(await exists(dataDir, params.serverId))

  assert.deepEqual(await api.deleteServer({ params }), { message: 'Server deleted successfully' })
  assert.ok(!(await exists(dataDir, params.serverId)))
  await until('no process is left', async () => !(await anyProcessWith(mark)))
  assert.deepEqual(await api.servers(), [])
})

test('players reach the port of a server, until it is deleted', async (t) => {
  const { api } = await world(t)
  const made = await api.createServer({ body: { name: 'Hello', template: 'command' } })
  const params = { serverId: keyOf(made.id) }
  const { ip, port } = await until('address', async () => (await api.allocations({ params })).allocations[0])
  const visit = () => text(connect({ host: ip, port })).catch(() => '')
  await until('answers', async () => (await visit()) === 'hello\n')
  await api.deleteServer({ params })
  assert.equal(await visit(), '')
})

test('somebody invited to one server by its link gets that server and nothing else, once', async (t) => {
  const { api, baseUrl } = await world(t)
  const made = await api.createServer({ body: { name: 'Shared', template: 'command', start: false } })
  await api.createServer({ body: { name: 'Private', template: 'command', start: false } })
  const params = { serverId: keyOf(made.id) }
  const { invitationUrl } = await api.createSubuser({
    params,
    body: { userEmail: 'bob@example.com', permissions: ['console.read'] },
  })
  const secret = new URL(invitationUrl ?? '').hash.slice(1)
  const accept = () =>
    fetch(`${baseUrl}/invitations/accept`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, password: 'another long password' }),
    })
  const accepted = await accept()
  assert.equal(accepted.status, 200)
  const cookie = accepted.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const seen = await fetch(`${baseUrl}/servers`, { headers: { cookie } })
  const { data } = (await seen.json()) as { data: { id: string }[] }
  assert.deepEqual(
    data.map(({ id }) => id),
    [made.id],
  )
  const [subuser] = await api.subusers({ params })
  assert.deepEqual(
    [subuser?.email, subuser?.pending, subuser?.permissions],
    ['bob@example.com', false, ['console.read']],
  )
  assert.equal((await accept()).status, 401)
})

test('ports, variables and suspension of a server are felt on its real node', async (t) => {
  const { api } = await world(t)
  const script = 'echo "up on $SERVER_PORT"; while read -r line; do :; done'
  const made = await api.createServer({ body: { name: 'Moved', template: 'command', variables: { COMMAND: script } } })
  const params = { serverId: keyOf(made.id) }
  const is = (wanted: string) => until(wanted, async () => (await api.server({ params })).status === wanted)
  const says = (line: string) => until(line, async () => (await api.consoleLog({ params })).logs.includes(line))
  await is('running')
  const [primary] = (await api.allocations({ params })).allocations
  assert.ok(primary)
  await says(`up on ${primary.local}`)

  const foreign = createServer().listen(primary.local + 1, '0.0.0.0')
  await once(foreign, 'listening')
  await assert.rejects(api.createAllocation({ params }), /No port is free on node machine/)
  await new Promise((resolve) => foreign.close(resolve))
  const { allocation } = await api.createAllocation({ params })
  assert.equal(allocation.local, primary.local + 1)
  await api.makePrimary({ params: { ...params, allocation: allocation.id } })
  await assert.rejects(api.deleteAllocation({ params: { ...params, allocation: primary.id } }), /stop it first/)
  await api.updateStartup({ params, body: { variables: { COMMAND: script.replace('up on', 'now on') } } })
  await api.power({ params, body: { action: 'restart' } })
  await says(`now on ${allocation.local}`)

  await api.updateSuspension({ params, body: { suspended: true } })
  await is('suspended')
  await assert.rejects(api.power({ params, body: { action: 'start' } }), /only be looked at/)
  await api.updateSuspension({ params, body: { suspended: false } })
  await is('offline')
  assert.deepEqual(await api.deleteAllocation({ params: { ...params, allocation: primary.id } }), {
    message: 'Allocation removed successfully',
  })
  const { limits } = await api.updateServerLimits({ params, body: { memory: 512, cpu: 0.5 } })
  assert.deepEqual([limits.memory, limits.cpu], [512, 0.5])
  await api.power({ params, body: { action: 'start' } })
  await is('running')
})
