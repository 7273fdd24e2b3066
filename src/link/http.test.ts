import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import type { Link } from './index.ts'
import { openPair, type PairOptions, transportNames } from './testing/pairs.ts'

for (const transport of transportNames) {
  describe(`HTTP over a link over ${transport}`, () => {
    it('serves many requests over kept-alive streams', async () => {
      await using served = serve((request, response) => {
        request.pipe(response)
      })
      await using pair = await openPair(transport, served.options)
      using agent = linkAgent(pair.acceptor.link)
      for (let n = 0; n < 5; n++) {
        const bodies = await Promise.all(Array.from({ length: 10 }, (_, m) => post(agent, `body ${n}.${m}`)))
        assert.deepEqual(bodies.sort(), Array.from({ length: 10 }, (_, m) => `body ${n}.${m}`).sort())
      }
      assert.equal(pair.acceptor.link.streamCount, 10)
    })

    it('serves a body larger than every window', async () => {
      const size = 6 * 1024 * 1024
      await using served = serve((_request, response) => {
        response.end(Buffer.alloc(size, 'x'))
      })
      await using pair = await openPair(transport, served.options)
      using agent = linkAgent(pair.acceptor.link)
      assert.equal((await post(agent, 'please')).length, size)
    })

    it('lets the server see that a request was given up', async () => {
      const givenUp = Promise.withResolvers<void>()
      await using served = serve((_request, response) => {
        response.once('close', () => givenUp.resolve())
        response.write('a beginning')
      })
      await using pair = await openPair(transport, served.options)
      using agent = linkAgent(pair.acceptor.link)
      const request = http.request({ agent, host: 'node', path: '/' })
      request.on('error', () => undefined)
      request.end()
      const [response] = await once(request, 'response')
      response.on('error', () => undefined)
      request.destroy()
      await givenUp.promise
    })

    it('times out a request that never ends, as on a socket', async () => {
      await using served = serve(() => undefined)
      await using pair = await openPair(transport, served.options)
      using agent = linkAgent(pair.acceptor.link)
      const request = http.request({ agent, host: 'node', path: '/', timeout: 20 })
      request.on('error', () => undefined)
      request.end()
      await once(request, 'timeout')
      request.destroy()
    })

    it('carries a WebSocket, both ways, to an orderly end', async () => {
      await using served = serve(() => undefined)
      const sockets = new WebSocketServer({ server: served.server })
      sockets.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      })
      await using pair = await openPair(transport, served.options)
      const socket = new WebSocket('ws://node/', { createConnection: () => pair.acceptor.link.open('http') as never }) // ws wants a net.Socket; it uses a Duplex
      await once(socket, 'open')
      const large = 'l'.repeat(500_000)
      socket.send(large)
      const [echo] = await once(socket, 'message')
      assert.equal(String(echo), large)
      socket.close(1000, 'enough')
      const [code] = await once(socket, 'close')
      assert.equal(code, 1000)
      sockets.close()
    })
  })
}

function serve(handler: http.RequestListener): { server: http.Server; options: PairOptions } & AsyncDisposable {
  const server = http.createServer(handler)
  return {
    server,
    options: { onStream: (stream) => void server.emit('connection', stream) },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function linkAgent(link: Link): http.Agent & Disposable {
  const agent = new http.Agent({ keepAlive: true })
  const createConnection = (): Duplex => link.open('http')
  return Object.assign(agent, { createConnection, [Symbol.dispose]: () => agent.destroy() })
}

async function post(agent: http.Agent, body: string): Promise<string> {
  const request = http.request({ agent, host: 'node', path: '/', method: 'POST' })
  request.end(body)
  const [response] = await once(request, 'response')
  return await text(response)
}
