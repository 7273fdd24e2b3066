import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { LinkError, loadIdentity } from '../link/index.ts'
import { clientHello, helloMessage, inRecords, serverNameExtension } from './testing/client-hello.ts'
import { acmeToken, eventually, forwardTo, handAgent, rawVisitor, tempFolder, testEdge } from './testing/world.ts'

const name = 'mail.acme.localhost'
const alert = (number: number): Buffer => Buffer.from([21, 3, 3, 0, 2, 2, number])
const [internalError, userCanceled, unrecognizedName] = [80, 90, 112].map(alert)

test('what a visitor sends reaches the service of the name byte for byte, from the first one on', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { helloTimeoutMs: 60_000 } })
  const heads: Record<string, unknown>[] = []
  const heard: Buffer[] = []
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    heads.push(head as Record<string, unknown>)
    const parts: Buffer[] = []
    stream.on('data', (part) => parts.push(part))
    stream.on('end', () => {
      heard.push(Buffer.concat(parts))
      stream.end(`heard ${Buffer.concat(parts).length}`)
    })
  })
  assert.equal((await agent.open({ kind: 'tls', name: 'mail' })).url, `tls://${name}:${edge.httpPort}`)
  const message = helloMessage({ serverNames: ['Mail.ACME.localhost.'], protocols: ['h2'] })
  const sent = [
    Buffer.concat([inRecords(message), Buffer.from('and more')]),
    inRecords(message, 16),
    clientHello({ serverNames: ['mail-acme.localhost'] }),
  ]
  for (const [index, bytes] of sent.entries()) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    // One byte at a time, each as a segment of its own where the system does not join them.
    if (index === 1) for (const byte of bytes) visitor.socket.write(Buffer.from([byte]))
    else visitor.socket.write(bytes)
    visitor.socket.end()
    assert.equal((await visitor.all).toString(), `heard ${bytes.length}`)
    assert.deepEqual(heard[index], bytes)
  }
  const { protocol, address, localAddress, localPort, offset } = heads[0] ?? {}
  assert.deepEqual(
    { protocol, address, localAddress, localPort, offset },
    { protocol: 'tls', address: '127.0.0.1', localAddress: '127.0.0.1', localPort: edge.httpPort, offset: 0 },
  )
})

test('a client and a service agree on everything themselves: certificate, protocol, half-close', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const { key, certificate } = await loadIdentity(join(await tempFolder(closer), 'service'))
  const service = createServer(
    { key: key.reveal(), cert: certificate, ALPNProtocols: ['mail/1'], allowHalfOpen: true },
    (socket) => {
      socket.on('error', () => undefined)
      let heard = ''
      socket.on('data', (part) => {
        heard += part
      })
      socket.on('end', () => socket.end(`you said ${heard}`))
    },
  )
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    service.close()
  })
  const address = service.address()
  assert.ok(address && typeof address === 'object')
  const agent = await handAgent(closer, edge, acmeToken, forwardTo(address.port))
  await agent.open({ kind: 'tls', name: 'mail' })
  const client = connect({
    port: edge.httpPort,
    host: '127.0.0.1',
    servername: name,
    ALPNProtocols: ['mail/1'],
    ca: certificate,
    checkServerIdentity: () => undefined,
  })
  closer.defer(() => {
    client.destroy()
  })
  await once(client, 'secureConnect')
  assert.ok(client.authorized)
  assert.equal(client.alpnProtocol, 'mail/1')
  client.end('hello')
  assert.equal((await client.toArray()).join(''), 'you said hello')
})

test('tells apart by alerts: no such name, agent away, too many; a service that is down is a reset', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, {}, { limits: { visitorsPerTunnelMax: 1 } })
  const answerTo = async (serverNames?: string[]): Promise<Buffer> => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(clientHello(serverNames ? { serverNames } : {}))
    return await visitor.all
  }
  for (const nobodys of [['nobody.acme.localhost'], ['acme.localhost'], ['127.0.0.1'], undefined])
    assert.deepEqual(await answerTo(nobodys), unrecognizedName, String(nobodys))
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    if ((head as { tunnelId: string }).tunnelId === 'acme/down') stream.destroy(new LinkError('unreachable', 'secret'))
    else stream.write('server hello')
  })
  await agent.open({ kind: 'http', name: 'web' })
  assert.deepEqual(await answerTo(['web.acme.localhost']), unrecognizedName, 'a name of another kind')
  await agent.open({ kind: 'tls', name: 'down' })
  assert.equal((await answerTo(['down.acme.localhost'])).length, 0)
  await agent.open({ kind: 'tls', name: 'full' })
  const first = await rawVisitor(closer, edge.httpPort)
  first.socket.write(clientHello({ serverNames: ['full.acme.localhost'] }))
  await first.until('server hello')
  assert.deepEqual(await answerTo(['full.acme.localhost']), userCanceled)
  agent.link.close('going')
  await eventually(async () => (await answerTo(['full.acme.localhost'])).equals(internalError ?? assert.fail()), 'away')
  await first.all
})

test('two server names, or one that is no host name, are refused before anything is routed', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  let streams = 0
  const agent = await handAgent(closer, edge, acmeToken, () => streams++)
  await agent.open({ kind: 'tls', name: 'mail' })
  const other = 'other.acme.localhost'
  for (const [hello, number] of [
    [clientHello({ serverNames: [name, other] }), 47],
    [clientHello({ serverNames: [other], extensions: [serverNameExtension([name])] }), 47],
    [clientHello({ serverNames: [`${name}\0.evil.example`] }), 47],
    [clientHello({ serverNames: [name], trailing: Buffer.from([0]) }), 50],
    [Buffer.from([22, 3, 1, 0x41, 0]), 22],
  ] as const) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(hello)
    assert.deepEqual(await visitor.all, alert(number))
  }
  assert.equal(streams, 0)
})

test('links come through the same port, and one of a version that nobody speaks is refused in a link’s own words', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken)
  assert.equal((await agent.open({ kind: 'http', name: 'web' })).type, 'opened')
  const client = connect({
    port: edge.httpPort,
    host: '127.0.0.1',
    servername: name,
    ALPNProtocols: ['pharos-link/99'],
    rejectUnauthorized: false,
  })
  const [error] = (await once(client, 'error').catch((found: unknown) => [found])) as [Error & { code: string }]
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
})
