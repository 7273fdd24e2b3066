import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { certificateFor } from '../../src/edge/testing/certificates.ts'
import { clientHello } from '../../src/edge/testing/client-hello.ts'
import { setRecords, startDomainsWorld } from '../world/domains-world.ts'
import { eventually } from '../world/panel.ts'

/** Names that visitors make up; as many as a scanner tries in a minute. */
const names = 10_000

/** Connections at a time: fewer than one source may have. */
const atOnce = 20

test('ten thousand names that visitors make up cause no order, and the edge remembers none of them (S12)', async () => {
  await using closer = new AsyncDisposableStack()
  const { certificate, key } = await certificateFor(['localhost'])
  // Stands where the certificate authority would: whoever asks it for anything is seen.
  let asked = 0
  const authority = createServer({ cert: certificate, key }, (_request, response) => {
    asked++
    response.writeHead(503).end()
  }).listen(0, '127.0.0.1')
  await once(authority, 'listening')
  closer.defer(() => void authority.close())
  const directory = `https://localhost:${(authority.address() as AddressInfo).port}/`
  const world = await startDomainsWorld(closer, async () => ({ acme: { directory, root: certificate } }))
  // Below a name that somebody has proved, there is room to make up more; and there is one that nobody has proved.
  const { id } = await world.acme.createDomain({ body: { name: '*.example.org', tunnel: 'web' } })
  await setRecords(world, id)
  await eventually(async () => (await world.acme.domain({ params: { domain: id } })).state === 'active', 'it is proved')
  const claimed = await world.acme.createDomain({ body: { name: 'x.example.net', tunnel: 'web' } })

  const before = heapAfterCollection()
  let left = names
  const visitor = async (): Promise<void> => {
    while (left > 0) {
      const number = left--
      const domain = number % 3 === 0 ? 'example.org' : number % 3 === 1 ? 'example.net' : 'tunnels.example.com'
      const name = number === 1 ? claimed.name : `made-up-${number}-${Math.random().toString(36).slice(2)}.${domain}`
      const protocols = number % 5 === 0 ? ['acme-tls/1'] : ['h2', 'http/1.1']
      await refusedTls(world.edgePort, clientHello({ serverNames: [name], protocols }))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, visitor))
  const grown = heapAfterCollection() - before

  assert.equal(asked, 0)
  const orders = await world.database.kysely.selectFrom('certificate_orders').selectAll().execute()
  assert.deepEqual(orders, [])
  // A hundred bytes a name would be a megabyte: what is left is the noise of a process.
  assert.ok(grown < 20_000_000, `the heap grew by ${grown} bytes`)
})

/** Resolves when the edge has ended the connection. */
async function refusedTls(port: number, hello: Buffer): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(hello)
  await once(socket, 'close')
}

/** Bytes that something still refers to. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
