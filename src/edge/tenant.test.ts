import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { EdgeOrders } from './control-plane.ts'
import type { Edge } from './edge.ts'
import { Pacer } from './pacer.ts'
import {
  acmeToken,
  forwardTo,
  type HandAgent,
  handAgent,
  rawVisitor,
  tcpService,
  testEdge,
  umbrellaToken,
} from './testing/world.ts'

const none = { connections: null, bytesPerSecond: null, overQuota: false }

/** An edge whose control plane says yes, so that a test can give it orders; one workspace has a web site and a game. */
async function tunnels(closer: AsyncDisposableStack) {
  let orders: EdgeOrders | undefined
  const edge = await testEdge(
    closer,
    {},
    {
      controlPlane: async (given) => {
        orders = given
        return {
          verify: async (credential) => ({ kind: 'key', keyId: credential, workspaceId: 'acme', slug: 'acme' }),
          claim: async (agent, request) => {
            const name = request.kind === 'allocation' ? request.allocation : request.name
            const workspaceId = agent.kind === 'key' ? agent.keyId : ''
            return {
              tunnelId: `${workspaceId}/${name}`,
              workspaceId,
              name,
              entrances: [{ kind: 'http', hosts: [`${name}.${workspaceId}.localhost`] }],
              url: `http://${name}`,
            }
          },
          report: async () => ({ rejected: [] }),
          reportOpen: async () => undefined,
          drain: async () => undefined,
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  )
  const service = await tcpService(closer, (socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    socket.on('end', () => socket.end())
  })
  const agentOf = async (workspace: string): Promise<HandAgent> => {
    const agent = await handAgent(closer, edge, workspace, forwardTo(service))
    await agent.open({ kind: 'http', name: 'web' })
    return agent
  }
  await agentOf('acme')
  await agentOf('umbrella')
  return { edge, orders: orders ?? assert.fail('no control plane') }
}

async function get(closer: AsyncDisposableStack, edge: Edge, workspace: string) {
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: web.${workspace}.localhost\r\n\r\n`)
  return visitor
}

test('a workspace over its quota is turned away and cut, others are not, and it serves again once that is lifted', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, orders } = await tunnels(closer)
  const before = await get(closer, edge, 'acme')
  await before.until('ok')
  orders.setLimits('acme', { ...none, overQuota: true })
  await before.all
  const refused = await (await get(closer, edge, 'acme')).until('\r\n\r\n')
  assert.match(refused, /Pharos-Error: over_quota/)
  await (await get(closer, edge, 'umbrella')).until('ok')
  orders.setLimits('acme', none)
  await (await get(closer, edge, 'acme')).until('ok')
})

test('a workspace has no more visitors at once than its plan allows', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, orders } = await tunnels(closer)
  orders.setLimits('acme', { ...none, connections: 1 })
  const first = await get(closer, edge, 'acme')
  await first.until('ok')
  assert.match(await (await get(closer, edge, 'acme')).until('\r\n\r\n'), /Pharos-Error: over_limit/)
  await (await get(closer, edge, 'umbrella')).until('ok')
  orders.setLimits('acme', { ...none, connections: 2 })
  await (await get(closer, edge, 'acme')).until('ok')
})

test('visitors of before a rate was set come again under it', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, orders } = await tunnels(closer)
  const before = await get(closer, edge, 'acme')
  await before.until('ok')
  orders.setLimits('acme', { ...none, bytesPerSecond: 1_000_000 })
  await before.all
  await (await get(closer, edge, 'acme')).until('ok')
})

test('limits of a workspace that has nothing open here are not kept', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, orders } = await tunnels(closer)
  for (let count = 0; count < 1000; count++) orders.setLimits(`nobody${count}`, { ...none, overQuota: true })
  await (await get(closer, edge, 'acme')).until('ok')
})

test('bytes pass at the rate, in order, after a burst of one second', () => {
  let now = 0
  using pacer = new Pacer(1000, () => now)
  const passed: number[] = []
  for (const [index, bytes] of [600, 600, 500, 100].entries()) pacer.pass(bytes, () => passed.push(index))
  assert.deepEqual(passed, [0, 1])
  now = 100
  pacer.bytesPerSecond = 1000
  assert.deepEqual(passed, [0, 1])
  now = 201
  pacer.pass(1, () => passed.push(4))
  assert.deepEqual(passed, [0, 1], 'nothing overtakes what waits')
  pacer[Symbol.dispose]()
  assert.deepEqual(passed, [0, 1, 2, 3, 4])
})

test('beside another workspace, whose small requests are answered meanwhile, every byte of a busy one arrives, both ways', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const echo = await tcpService(closer, (socket) => socket.pipe(socket))
  const portOf = async (token: string): Promise<number> => {
    const agent = await handAgent(closer, edge, token, forwardTo(echo))
    const { url } = await agent.open({ kind: 'tcp', name: 'echo' })
    return Number(new URL(String(url)).port)
  }
  const [acme, umbrella] = [await portOf(acmeToken), await portOf(umbrellaToken)]
  const body = randomBytes(3 * 1024 * 1024)
  const busy = await Promise.all(Array.from({ length: 6 }, () => rawVisitor(closer, acme)))
  for (const { socket } of busy) socket.end(body)
  const small = await rawVisitor(closer, umbrella)
  for (let count = 1; count <= 20; count++) {
    small.socket.write('hello')
    await small.until(count * 5)
  }
  for (const { all } of busy) assert.ok((await all).equals(body))
})
