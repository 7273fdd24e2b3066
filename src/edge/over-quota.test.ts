import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reservePort } from '../../test/ports.ts'
import type { Entrance } from '../contract/edge.ts'
import { isRaw, type TunnelRequest } from '../contract/tunnel.ts'
import { handshakePacket } from '../lib/testing/minecraft.ts'
import type { EdgeOrders } from './control-plane.ts'
import { clientHello } from './testing/client-hello.ts'
import { acmeToken, handAgent, rawVisitor, testEdge } from './testing/world.ts'

test('a workspace over its quota is told apart in every protocol, serves nobody, and serves again afterwards', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await reservePort()
  const entranceOf = (request: TunnelRequest): Entrance =>
    isRaw(request) || request.kind === 'allocation'
      ? { kind: 'tcp', port, ports: 1 }
      : { kind: request.kind, hosts: [`${request.kind}.acme.localhost`] }
  let orders: EdgeOrders | undefined
  const edge = await testEdge(
    closer,
    { minecraftPort: 0 },
    {
      controlPlane: async (given) => {
        orders = given
        return {
          verify: async () => ({ kind: 'key', keyId: 'k', workspaceId: 'acme', slug: 'acme' }),
          claim: async (_, request) => ({
            tunnelId: request.kind,
            workspaceId: 'acme',
            name: request.kind,
            entrances: [entranceOf(request)],
            url: 'x',
          }),
          report: async () => ({ rejected: [] }),
          reportOpen: async () => undefined,
          drain: async () => undefined,
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  )
  let served = 0
  const agent = await handAgent(closer, edge, acmeToken, (stream) => {
    served++
    stream.end('served')
  })
  for (const kind of ['http', 'tls', 'minecraft', 'tcp'] as const) await agent.open({ kind, name: kind })
  const ask = async (at: number, bytes: Buffer | string): Promise<string> => {
    // A reset may come before the connection is known to be there.
    const visitor = await rawVisitor(closer, at).catch(() => null)
    visitor?.socket.write(bytes)
    return (await visitor?.all)?.toString('latin1') ?? ''
  }
  const minecraft = edge.minecraftPort ?? assert.fail('no Minecraft port')
  const request = 'GET / HTTP/1.1\r\nHost: http.acme.localhost\r\nConnection: close\r\n\r\n'
  const hello = clientHello({ serverNames: ['tls.acme.localhost'] })
  const handshake = (next: number): Buffer => handshakePacket({ host: 'minecraft.acme.localhost', next })

  const free = { connections: null, bytesPerSecond: null, overQuota: false }
  orders?.setLimits('acme', { ...free, overQuota: true })
  assert.match(await ask(edge.httpPort, request), /^HTTP\/1\.1 503 [\s\S]*"error":"over_quota"/)
  assert.match(
    await ask(edge.httpPort, request.replace('Connection', 'Accept: text/html\r\nConnection')),
    /<h1>Over its quota<\/h1>/,
  )
  assert.equal(await ask(edge.httpPort, hello), '\x15\x03\x03\x00\x02\x02\x31')
  for (const next of [1, 2, 3]) assert.match(await ask(minecraft, handshake(next)), /Over its quota/)
  assert.equal(await ask(port, 'hello'), '')
  assert.equal(served, 0)

  orders?.setLimits('acme', free)
  assert.equal(await ask(edge.httpPort, hello), 'served')
  assert.equal(await ask(minecraft, handshake(2)), 'served')
  assert.equal(await ask(port, 'hello'), 'served')
})
