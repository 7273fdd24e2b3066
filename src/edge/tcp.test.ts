import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { LinkStream } from '../link/index.ts'
import {
  acmeToken,
  eventually,
  type HandAgent,
  handAgent,
  rawVisitor,
  type TestEdge,
  testEdge,
} from './testing/world.ts'

async function gameTunnel(
  closer: AsyncDisposableStack,
  onStream: (stream: LinkStream, head: unknown) => void,
  limits = {},
): Promise<{ edge: TestEdge; agent: HandAgent; port: number }> {
  const edge = await testEdge(closer, {}, { limits })
  const agent = await handAgent(closer, edge, acmeToken, onStream)
  const opened = await agent.open({ kind: 'tcp', name: 'game' })
  return { edge, agent, port: Number(new URL(String(opened.url)).port) }
}

test('bytes go both ways, and each side can end its own while the other goes on', async () => {
  await using closer = new AsyncDisposableStack()
  const heads: unknown[] = []
  const { port } = await gameTunnel(closer, (stream, head) => {
    heads.push(head)
    const parts: Buffer[] = []
    stream.on('data', (part) => parts.push(part))
    // Answers only when the visitor has ended its side.
    stream.on('end', () => stream.end(`you said ${Buffer.concat(parts)}`))
  })
  const visitor = await rawVisitor(closer, port)
  const { localPort } = visitor.socket
  visitor.socket.end('hello')
  assert.equal((await visitor.all).toString(), 'you said hello')
  const addresses = { address: '127.0.0.1', port: localPort, localAddress: '127.0.0.1', localPort: port }
  assert.deepEqual(heads, [{ tunnelId: 'acme/game', protocol: 'tcp', ...addresses, offset: 0 }])
})

test('a service that ends first still hears the visitor', async () => {
  await using closer = new AsyncDisposableStack()
  let heard = ''
  const { port } = await gameTunnel(closer, (stream) => {
    stream.end('that is all')
    stream.on('data', (part) => {
      heard += part
    })
  })
  const visitor = await rawVisitor(closer, port)
  assert.equal((await visitor.all).toString(), 'that is all')
  visitor.socket.end('thank you')
  await eventually(() => heard === 'thank you', 'the service hears the rest')
})

test('a slow reader holds the sender back', async () => {
  await using closer = new AsyncDisposableStack()
  const size = 64_000_000
  let sent = 0
  const { port } = await gameTunnel(closer, (stream) => {
    const chunk = Buffer.alloc(64_000)
    const send = (): void => {
      while (sent < size) {
        sent += chunk.length
        if (!stream.write(chunk)) return
      }
      stream.end()
    }
    stream.on('drain', send)
    stream.resume()
    send()
  })
  const visitor = await rawVisitor(closer, port)
  visitor.socket.pause()
  let last = -1
  await eventually(() => {
    const still = sent === last
    last = sent
    return still && sent > 0
  }, 'the sender stops')
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(sent < size, `${sent} bytes were taken without a reader`)
  visitor.socket.resume()
  assert.equal((await visitor.all).length, size)
})

test('when the visitor goes, the stream goes; when the stream fails, the visitor is cut', async () => {
  await using closer = new AsyncDisposableStack()
  const streams: LinkStream[] = []
  const { port } = await gameTunnel(closer, (stream) => {
    streams.push(stream)
    stream.write('hello')
    stream.resume()
  })
  const first = await rawVisitor(closer, port)
  await first.until('hello')
  first.socket.resetAndDestroy()
  await eventually(() => streams[0]?.destroyed === true, 'the stream is gone')
  const second = await rawVisitor(closer, port)
  await second.until('hello')
  streams[1]?.destroy()
  await second.all
})

test('a full tunnel turns visitors away and takes the next when one has left', async () => {
  await using closer = new AsyncDisposableStack()
  const { port } = await gameTunnel(closer, (stream) => stream.write('welcome'), { visitorsPerTunnelMax: 1 })
  const first = await rawVisitor(closer, port)
  await first.until('welcome')
  await assert.rejects(rawVisitor(closer, port).then((second) => second.until('welcome')))
  first.socket.resetAndDestroy()
  await eventually(async () => {
    return rawVisitor(closer, port)
      .then((next) => next.until('welcome'))
      .then(
        () => true,
        () => false,
      )
  }, 'there is room again')
})

test('the port is closed when the tunnel is', async () => {
  await using closer = new AsyncDisposableStack()
  const { agent, port } = await gameTunnel(closer, (stream) => stream.write('welcome'))
  const visitor = await rawVisitor(closer, port)
  await visitor.until('welcome')
  agent.link.send({ type: 'close', tunnelId: 'acme/game' })
  await visitor.all
  const refused = await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(true))
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
  assert.equal(refused, true)
})
