import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLog } from '../lib/log.ts'
import { acceptLinks, acceptWebSockets, dialLink, listenShared, loadIdentity, splice } from '../link/index.ts'
import { edgeDialler } from './dial-edge.ts'

/** An edge's port, and one in a network that lets only HTTP through to it. */
async function world(closer: AsyncDisposableStack) {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const identity = await loadIdentity(folder)
  const acceptor = closer.use(
    acceptLinks({
      greet: async () => ({ welcome: 'hi', events: { onStream: (stream) => void stream.destroy() } }),
      log: silentLog,
    }),
  )
  const webSockets = closer.use(acceptWebSockets(identity, acceptor))
  const plain: Socket[] = []
  const listening = closer.use(
    await listenShared({
      host: '127.0.0.1',
      port: 0,
      identity,
      acceptor,
      log: silentLog,
      onPlain: (socket) => {
        plain.push(socket)
        webSockets.take(socket)
      },
    }),
  )
  const firewall = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first: Buffer) => {
      if (!first.toString('latin1').startsWith('GET ')) {
        socket.destroy()
        return
      }
      socket.pause()
      socket.unshift(first)
      void splice(socket, connect(listening.port, '127.0.0.1'))
      socket.resume()
    })
  })
  firewall.listen(0, '127.0.0.1')
  await once(firewall, 'listening')
  closer.defer(() => void firewall.close())
  const behind = (firewall.address() as AddressInfo).port // an address of TCP
  return { edge: { host: '127.0.0.1', port: listening.port, pin: identity.pin }, behind, plain }
}

const events = { onStream: () => undefined }

test('an agent links directly where it can', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, plain } = await world(closer)
  const link = await dialLink({ dialler: edgeDialler(edge), hello: 'me', events })
  assert.equal(plain.length, 0)
  link.close('done')
})

test('an agent links by WebSocket where a network lets only HTTP through', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, behind, plain } = await world(closer)
  const link = await dialLink({ dialler: edgeDialler({ ...edge, port: behind }), hello: 'me', events })
  assert.equal(plain.length, 1)
  link.close('done')
})

test('an agent that is told how to link tries nothing else', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, behind, plain } = await world(closer)
  const direct = edgeDialler({ ...edge, port: behind }, 'direct')
  await assert.rejects(dialLink({ dialler: direct, hello: 'me', events }), { code: 'lost' })
  const link = await dialLink({ dialler: edgeDialler(edge, 'websocket'), hello: 'me', events })
  assert.equal(plain.length, 1)
  link.close('done')
})

test('an agent accepts no other edge by WebSocket than directly', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await world(closer)
  const pin = `A${edge.pin.slice(1)}` === edge.pin ? `B${edge.pin.slice(1)}` : `A${edge.pin.slice(1)}`
  await assert.rejects(dialLink({ dialler: edgeDialler({ ...edge, pin }), hello: 'me', events }), { code: 'refused' })
})
