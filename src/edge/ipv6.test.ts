import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { acmeToken, handAgent, testEdge } from './testing/world.ts'

/** Whether this machine has IPv6 at all. */
async function hasIpv6(): Promise<boolean> {
  const server = createServer()
  const listening = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(0, '::1', () => resolve(true))
  })
  const has = await listening
  server.close()
  return has
}

/** Says something over TCP and returns the whole answer. */
async function ask(host: string, port: number, text: string): Promise<string> {
  const socket = connect({ host, port })
  socket.write(text)
  let answer = ''
  for await (const part of socket) answer += part
  return answer
}

/** The next datagram that answers. */
async function askDatagram(host: string, port: number, text: string): Promise<string> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    const answer = once(socket, 'message')
    socket.send(text, port, host)
    const [payload] = (await answer) as [Buffer]
    return payload.toString()
  } finally {
    socket.close()
  }
}

test('an edge that listens on :: has visitors of both families over HTTP, TCP and UDP, each with their own address', async (t) => {
  if (!(await hasIpv6())) {
    t.skip('this machine has no IPv6')
    return
  }
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { listenHost: '::' })
  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    const { protocol, address } = head as { protocol: string; address: string }
    stream.on('error', () => undefined)
    if (protocol === 'udp') {
      stream.resume()
      stream.onDatagram = () => stream.sendDatagram(Buffer.from(address))
    } else
      stream.once('data', () =>
        stream.end(
          protocol === 'http'
            ? `HTTP/1.1 200 OK\r\nContent-Length: ${address.length}\r\nConnection: close\r\n\r\n${address}`
            : address,
        ),
      )
  })
  const portOf = ({ type, url }: Record<string, unknown>): number => {
    assert.equal(type, 'opened')
    return Number(String(url).split(':').at(-1))
  }
  await agent.open({ kind: 'http', name: 'web' })
  const tcp = portOf(await agent.open({ kind: 'tcp', name: 'game' }))
  const udp = portOf(await agent.open({ kind: 'udp', name: 'voice' }))
  const request = 'GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n'
  for (const host of ['::1', '127.0.0.1']) {
    assert.equal((await ask(host, edge.httpPort, request)).split('\r\n\r\n')[1], host)
    assert.equal(await ask(host, tcp, 'hello'), host)
    assert.equal(await askDatagram(host, udp, 'hello'), host)
  }
})
