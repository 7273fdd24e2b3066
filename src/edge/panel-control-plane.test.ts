import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { reservePort } from '../../test/ports.ts'
import { createClient } from '../client/index.ts'
import { EdgeHello, edgeToPanel, type OpenTunnel, panelToEdge, UsageReport } from '../contract/edge.ts'
import { conflict, unauthorized } from '../contract/errors.ts'
import type { Contexts } from '../contract/operation.ts'
import { createApi, linkSend, part } from '../http/index.ts'
import { silentLog } from '../lib/log.ts'
import { acceptLinks, type Link, LinkError, listenShared, loadIdentity } from '../link/index.ts'
import { EdgeConfig } from './config.ts'
import { type Edge, startEdge } from './edge.ts'
import { eventually, forwardTo, handAgent, httpService, rawVisitor, tempFolder } from './testing/world.ts'

interface Peers extends Contexts {
  peer: object
}
const peers: Peers = {
  public: {},
  account: {},
  session: {},
  instance: {},
  peer: {},
  workspace: {},
  server: {},
  ticket: {},
}

/** The panel's side of the edge's link, with the real link and the real HTTP binding; its memory is a few maps. */
async function panel(closer: AsyncDisposableStack, former?: { endpoint: { port: number }; folder: string }) {
  const state = {
    keys: new Map([['key-1', 'acme']]),
    hellos: [] as EdgeHello[],
    reports: [] as UsageReport[],
    open: [] as OpenTunnel[],
    link: undefined as Link | undefined,
    port: 0,
    pin: '',
  }
  const folder = former?.folder ?? (await tempFolder(closer))
  const stack = closer.use(new AsyncDisposableStack())
  const api = stack.use(
    await createApi<Peers>({
      prefix: '',
      cors: false,
      log: silentLog,
      gate: { admit: () => peers.peer },
      parts: [
        part<typeof edgeToPanel, Peers>(edgeToPanel, {
          verifyAgent: ({ body }) => {
            const slug = state.keys.get(body.credential)
            if (!slug) throw unauthorized('The key is not valid')
            return { kind: 'key', keyId: body.credential, workspaceId: slug, slug }
          },
          claimTunnel: ({ body: { agent, tunnel } }) => {
            if (tunnel.kind !== 'http' || agent.kind !== 'key') throw conflict('That name belongs to another workspace')
            const { name } = tunnel
            return {
              tunnelId: `tun_${name}`,
              workspaceId: agent.workspaceId,
              name,
              entrances: [{ kind: 'http', hosts: [`${name}.${agent.slug}.localhost`] }],
              url: `http://${name}.${agent.slug}.localhost`,
            }
          },
          reportUsage: ({ body }) => {
            state.reports.push(UsageReport.parse(body))
            return { accepted: body.counters.length, rejected: [] }
          },
          drain: () => ({}),
          reportOpenTunnels: ({ body }) => {
            state.open = body
            return {}
          },
        }),
      ],
    }),
  )
  const acceptor = stack.use(
    acceptLinks({
      log: silentLog,
      greet: async (hello) => {
        const parsed = EdgeHello.parse(hello)
        if (parsed.credential !== 'edge-credential') throw new LinkError('unauthorized', 'unknown edge')
        state.hellos.push(parsed)
        return {
          welcome: {},
          events: { onStream: (stream) => api.serve(stream) },
          opened: (link) => {
            state.link = link
          },
        }
      },
    }),
  )
  const identity = await loadIdentity(join(folder, 'identity'))
  const listening = stack.use(
    await listenShared({
      host: '127.0.0.1',
      port: former?.endpoint.port ?? (await reservePort()),
      identity,
      acceptor,
      onPlain: (socket) => socket.destroy(),
      log: silentLog,
    }),
  )
  const orders = createClient(panelToEdge, { baseUrl: '', send: linkSend(() => state.link ?? assert.fail('no link')) })
  return {
    state,
    orders,
    endpoint: { host: '127.0.0.1', port: listening.port, pin: identity.pin },
    folder,
    stop: () => stack.disposeAsync(),
  }
}

async function edgeOf(
  closer: AsyncDisposableStack,
  endpoints: { host: string; port: number; pin: string }[],
): Promise<Edge> {
  const dataDir = await tempFolder(closer)
  await mkdir(dataDir, { recursive: true })
  const config = EdgeConfig.parse({
    listenHost: '127.0.0.1',
    httpPort: 0,
    dataDir,
    panels: endpoints,
    credential: 'edge-credential',
  })
  return closer.use(await startEdge(config, { log: silentLog, reportEveryMs: 30 }))
}

async function get(closer: AsyncDisposableStack, edge: Edge, host: string): Promise<string> {
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  return (await visitor.all).toString()
}

test('panel, edge, agent and service: a visitor is served, counted and reported; a revoked key is cut off before its revocation is answered', async () => {
  await using closer = new AsyncDisposableStack()
  const { state, orders, endpoint } = await panel(closer)
  const edge = await edgeOf(closer, [endpoint])
  const port = await httpService(closer, (_, response) => response.end('from the service'))
  const agent = await handAgent(closer, edge, 'key-1', forwardTo(port))
  assert.equal((await agent.open({ kind: 'http', name: 'web' })).url, 'http://web.acme.localhost')
  const taken = await agent.open({ kind: 'tcp', name: 'game' })
  assert.deepEqual([taken.code, taken.message], ['taken', 'That name belongs to another workspace'])
  const answer = await get(closer, edge, 'web.acme.localhost')
  assert.match(answer, /from the service$/)
  await eventually(
    () => state.reports.some(({ counters }) => counters.some(({ bytesOut }) => bytesOut === answer.length)),
    'the bytes are reported',
  )
  await eventually(() => state.open.length === 1 && state.open[0]?.tunnelId === 'tun_web', 'the open tunnel is told')
  assert.equal(state.hellos[0]?.httpPort, edge.httpPort)
  assert.equal(state.hellos[0]?.pin, edge.pin)
  state.keys.delete('key-1')
  assert.deepEqual(await orders.revoke({ body: { revocation: { of: 'key', keyId: 'key-1' }, reason: 'revoked' } }), {
    closed: 1,
  })
  assert.match(await get(closer, edge, 'web.acme.localhost'), /^HTTP\/1\.1 503 [\s\S]*agent_offline/)
  assert.equal((await agent.link.closed).reason, 'revoked')
  await assert.rejects(
    handAgent(closer, edge, 'key-1'),
    (error) => error instanceof LinkError && error.code === 'unauthorized',
  )
  await eventually(() => state.open.length === 0, 'the panel learns it')
})

test('the edge serves on while its panel is away, and catches up on what was revoked meanwhile', async () => {
  await using closer = new AsyncDisposableStack()
  const first = await panel(closer)
  const edge = await edgeOf(closer, [first.endpoint])
  const port = await httpService(closer, (_, response) => response.end('from the service'))
  const agent = await handAgent(closer, edge, 'key-1', forwardTo(port))
  await agent.open({ kind: 'http', name: 'web' })
  await first.stop()
  await assert.rejects(
    handAgent(closer, edge, 'key-1'),
    (error) => error instanceof LinkError && error.code === 'refused',
  )
  assert.equal((await agent.open({ kind: 'http', name: 'new' })).code, 'unavailable')
  const answer = await get(closer, edge, 'web.acme.localhost')
  assert.match(answer, /from the service$/)
  const second = await panel(closer, first)
  second.state.keys.clear()
  assert.match((await agent.link.closed).reason, /not valid/)
  await eventually(
    () => second.state.reports.some(({ counters }) => counters.some(({ bytesOut }) => bytesOut >= answer.length)),
    'what was counted meanwhile is reported',
  )
})

test('with several panels, any that is up is enough', async () => {
  await using closer = new AsyncDisposableStack()
  const { endpoint, state } = await panel(closer)
  const edge = await edgeOf(closer, [{ host: '127.0.0.1', port: await reservePort(), pin: endpoint.pin }, endpoint])
  const agent = await handAgent(closer, edge, 'key-1')
  assert.equal((await agent.open({ kind: 'http', name: 'web' })).type, 'opened')
  assert.equal(state.hellos.length, 1)
})

test('the panel can ask for nothing but what the contract has', async () => {
  await using closer = new AsyncDisposableStack()
  const { endpoint, state, orders } = await panel(closer)
  await edgeOf(closer, [endpoint])
  await eventually(() => state.link !== undefined, 'the link is up')
  const stream = state.link?.open({ protocol: 'shell' }) ?? assert.fail('no link')
  await new Promise<void>((resolve) => {
    stream.once('error', (error) => {
      assert.ok(error instanceof LinkError && error.code === 'refused')
      resolve()
    })
  })
  assert.deepEqual(await orders.revoke({ body: { revocation: { of: 'node', nodeId: 'none' }, reason: 'x' } }), {
    closed: 0,
  })
})

test('a config that cannot work is refused with the key named, so none that should ask for a credential goes without (S4)', () => {
  const base = { dataDir: '/d' }
  for (const [config, key] of [
    [{ ...base }, 'tokensFile'],
    [{ ...base, tokensFile: 't', panels: [{ host: 'h', port: 1, pin: 'p' }], credential: 'c' }, 'tokensFile'],
    [{ ...base, panels: [{ host: 'h', port: 1, pin: 'p' }] }, 'credential'],
    [{ ...base, tokensFile: 't', credential: 'c' }, 'credential'],
    [{ ...base, tokensFile: 't', colour: 'red' }, 'colour'],
    [{ ...base, tokensFile: 't', ports: { first: 2, last: 1 } }, 'ports'],
    [{ ...base, tokensFile: 't', httpPort: 70_000 }, 'httpPort'],
  ] as const) {
    const parsed = EdgeConfig.safeParse(config)
    assert.ok(!parsed.success && JSON.stringify(parsed.error.issues).includes(key), key)
  }
  assert.equal(
    String(EdgeConfig.parse({ ...base, panels: [{ host: 'h', port: 1, pin: 'p' }], credential: 'c' }).credential),
    '[secret]',
  )
})
