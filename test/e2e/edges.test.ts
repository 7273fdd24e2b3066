import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type AgentEvent, startAgent, type WantedTunnel } from '../../src/agent/index.ts'
import type { EdgeOrders } from '../../src/edge/control-plane.ts'
import { acmeToken, endpointOf, eventually, rawVisitor, type TestEdge, testEdge } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'

/** An edge whose control plane says yes and lets the test give orders. */
async function orderedEdge(closer: AsyncDisposableStack): Promise<{ edge: TestEdge; orders: EdgeOrders }> {
  let orders: EdgeOrders | undefined
  const edge = await testEdge(
    closer,
    {},
    {
      controlPlane: async (given) => {
        orders = given
        return {
          verify: async () => ({ kind: 'key', keyId: 'key', workspaceId: 'acme', slug: 'acme' }),
          claim: async (_, request) => ({
            tunnelId: 'web',
            workspaceId: 'acme',
            name: request.kind === 'allocation' ? request.allocation : request.name,
            entrances: [{ kind: 'http', hosts: ['web.acme.localhost'] }],
            url: 'http://web.acme.localhost',
          }),
          report: async () => ({ rejected: [] }),
          reportOpen: async () => undefined,
          drain: async () => undefined,
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  )
  return { edge, orders: orders ?? assert.fail('no control plane') }
}

/** A web service that says its name, and an agent that serves it; `well` is what its health path answers. */
async function agentOf(closer: AsyncDisposableStack, edge: TestEdge, name: string) {
  const state = { well: true, checks: 0 }
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      state.checks++
      response.statusCode = state.well ? 204 : 503
      response.end()
    } else response.end(name)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const tunnel: WantedTunnel = {
    id: 'web',
    request: { kind: 'http', name: 'web', pool: true },
    target: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    health: { kind: 'http', path: '/health' },
  }
  const events: AgentEvent[] = []
  const agent = closer.use(
    startAgent({
      edges: [endpointOf(edge)],
      credential: () => new Secret(acmeToken),
      tunnels: [tunnel],
      log: silentLog,
      followEdges: true,
      healthTimes: { everyMs: 10, timeoutMs: 20_000 },
      onEvent: (event) => events.push(event),
    }),
  )
  const opened = (on: TestEdge): boolean =>
    events.some((event) => event.type === 'opened' && event.edge.port === on.httpPort)
  await eventually(() => opened(edge), `${name} is open`)
  return { agent, state, events, opened }
}

async function get(closer: AsyncDisposableStack, edge: TestEdge): Promise<string> {
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n')
  return (await visitor.all).toString().split('\r\n\r\n').at(-1) ?? ''
}

test('an agent follows the edges of its region; a draining one serves to its end and is then left alone', async () => {
  await using closer = new AsyncDisposableStack()
  const first = await orderedEdge(closer)
  const second = await orderedEdge(closer)
  const { events, opened } = await agentOf(closer, first.edge, 'a')
  first.orders.setEdges([endpointOf(first.edge), endpointOf(second.edge)])
  await eventually(() => opened(second.edge), 'it is open on the second edge')
  const drained = first.edge.drain(1, 0)
  second.orders.setEdges([endpointOf(second.edge)])
  assert.equal(await get(closer, first.edge), 'a')
  await drained
  assert.equal(await get(closer, first.edge), 'a')
  await first.edge[Symbol.asyncDispose]()
  await eventually(
    () => events.some((event) => event.type === 'down' && event.edge.port === first.edge.httpPort),
    'the link has ended',
  )
  assert.equal(await get(closer, second.edge), 'a')
})

test('visitors go to the agents whose service is well, and come back when it is again', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await orderedEdge(closer)
  const a = await agentOf(closer, edge, 'a')
  await agentOf(closer, edge, 'b')
  const served = async (wanted: string): Promise<boolean> => {
    const answers = []
    for (let count = 0; count < 4; count++) answers.push(await get(closer, edge))
    return [...new Set(answers)].sort().join('') === wanted
  }
  a.state.well = false
  await eventually(() => served('b'), 'only the well one serves')
  a.state.well = true
  const { checks } = a.state
  await eventually(() => a.state.checks > checks + 1, 'it is checked again')
  await eventually(async () => (await get(closer, edge)) === 'a', 'it serves again')
})
