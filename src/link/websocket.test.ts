import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { WebSocket } from 'ws'
import { silentLog } from '../lib/log.ts'
import {
  acceptLinks,
  acceptWebSockets,
  type Dialler,
  dialLink,
  firstDialler,
  type Link,
  LinkError,
  type LinkIdentity,
  loadIdentity,
  memoryPair,
  splice,
  webSocketDialler,
} from './index.ts'
import { listen, testEvents } from './testing/pairs.ts'
import { rawConnection, untilEnd } from './testing/sockets.ts'

interface World extends AsyncDisposable {
  port: number
  identity: LinkIdentity
  /** How many links the accepting end has. */
  links(): number
  /** Another machine's key. */
  otherIdentity(): Promise<LinkIdentity>
  cleanup: AsyncDisposableStack
}

/** An end that accepts links by WebSocket on a plain port. */
async function openWorld(): Promise<World> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'link-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const identity = await loadIdentity(join(folder, 'ours'))
  const acceptor = opening.use(
    acceptLinks({ greet: async () => ({ welcome: 'hi', events: testEvents().events }), log: silentLog }),
  )
  const sockets = opening.use(acceptWebSockets(identity, acceptor))
  const server = createServer({ allowHalfOpen: true }, (socket) => sockets.take(socket))
  const port = await listen(server)
  opening.defer(() => void server.close())
  const cleanup = opening.move()
  return {
    port,
    identity,
    links: () => acceptor.links.size,
    otherIdentity: () => loadIdentity(join(folder, 'other')),
    cleanup,
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  }
}

const host = '127.0.0.1'
const linkBy = (dialler: Dialler): Promise<Link> => dialLink({ dialler, hello: 'me', events: testEvents().events })

async function answerTo({ port }: World, request: string): Promise<string> {
  const socket = await rawConnection(port)
  const answer = untilEnd(socket)
  socket.write(request)
  return (await answer).toString()
}

const upgrade = (path: string, protocol: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: edge\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${protocol}\r\n`

describe('a link by WebSocket', () => {
  it('goes through whatever ends the outer TLS, whoever’s certificate it shows', async () => {
    await using world = await openWorld()
    const proxy = await proxyWith(world, await world.otherIdentity(), world.port)
    const link = await linkBy(webSocketDialler({ host, port: proxy, secure: true, pin: world.identity.pin }))
    assert.equal(world.links(), 1)
    link.close('done')
  })

  it('is refused with another end than the pinned one, though the outer TLS is in order', async () => {
    await using world = await openWorld()
    const proxy = await proxyWith(world, world.identity, world.port)
    const { pin } = await world.otherIdentity()
    await assert.rejects(linkBy(webSocketDialler({ host, port: proxy, secure: true, pin })), { code: 'refused' })
    await assert.rejects(linkBy(webSocketDialler({ host, port: world.port, secure: false, pin })), { code: 'refused' })
    assert.equal(world.links(), 0)
  })

  it('is not reached by other requests: they are told so and closed', async () => {
    await using world = await openWorld()
    assert.match(await answerTo(world, 'GET /link HTTP/1.1\r\nhost: edge\r\n\r\n'), /^HTTP\/1.1 426 /)
    for (const request of [
      upgrade('/link', ''),
      upgrade('/link', 'sec-websocket-protocol: chat\r\n'),
      upgrade('/other', 'sec-websocket-protocol: pharos-link-1\r\n'),
      upgrade('/link', 'sec-websocket-protocol: pharos-link-1\r\n').replace('version: 13', 'version: 1'),
      'nonsense\r\n\r\n',
    ])
      assert.match(await answerTo(world, request), /^HTTP\/1.1 400 /)
    assert.equal(world.links(), 0)
  })

  it('ends at a message of text, and at one that is too long', async () => {
    await using world = await openWorld()
    for (const message of ['text', Buffer.alloc(64 * 1024 + 1)]) {
      const socket = new WebSocket(`ws://${host}:${world.port}/link`, 'pharos-link-1')
      socket.on('error', () => undefined)
      await once(socket, 'open')
      socket.send(message)
      await once(socket, 'close')
    }
    assert.equal(world.links(), 0)
  })

  it('ends when what is inside is not TLS', async () => {
    await using world = await openWorld()
    const socket = new WebSocket(`ws://${host}:${world.port}/link`, 'pharos-link-1')
    socket.on('error', () => undefined)
    await once(socket, 'open')
    socket.send(Buffer.from('PHAROS/1'))
    await once(socket, 'close')
    assert.equal(world.links(), 0)
  })

  it('fails for the dialler with what is wrong, and when told to', async () => {
    await using world = await openWorld()
    const { pin } = world.identity
    const closed = createServer()
    const nobody = await listen(closed)
    closed.close()
    await once(closed, 'close')
    await assert.rejects(linkBy(webSocketDialler({ host, port: nobody, secure: false, pin })), { code: 'lost' })
    await assert.rejects(linkBy(webSocketDialler({ host, port: world.port, secure: true, pin })), { code: 'lost' })
    const silent = createServer((socket) => socket.on('error', () => undefined))
    const port = await listen(silent)
    const stop = new AbortController()
    const dialling = webSocketDialler({ host, port, secure: false, pin })(stop.signal)
    const [socket]: Socket[] = await once(silent, 'connection')
    stop.abort(new Error('enough'))
    await assert.rejects(dialling, /enough/)
    socket?.destroy()
    silent.close()
  })
})

describe('several ways to an end', () => {
  const never: Dialler = (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const failing =
    (words: string): Dialler =>
    async () => {
      throw new LinkError('lost', words)
    }
  const working: Dialler = async () => memoryPair()[0]
  const signal = (): AbortSignal => new AbortController().signal

  it('are tried one after the other, at once when one fails', async () => {
    const channel = await firstDialler([failing('a'), failing('b'), working], 3_600_000)(signal())
    assert.equal(channel.remoteAddress, 'memory')
  })

  it('are tried beside each other when one takes long, and the slower one is given up', async () => {
    let gaveUp = false
    const slow: Dialler = (stop) => {
      stop.addEventListener('abort', () => {
        gaveUp = true
      })
      return never(stop)
    }
    await firstDialler([slow, working], 1)(signal())
    assert.equal(gaveUp, true)
  })

  it('fail with the words of the first', async () => {
    await assert.rejects(firstDialler([failing('the direct way'), failing('b')], 3_600_000)(signal()), /the direct way/)
  })

  it('are given up together', async () => {
    const stop = new AbortController()
    const dialling = firstDialler([never, never], 1)(stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(dialling, /enough/)
  })

  it('close a connection that comes too late', async () => {
    const [late] = memoryPair()
    const found = Promise.withResolvers<typeof late>()
    await firstDialler([() => found.promise, working], 1)(signal())
    const closed = once(late.duplex, 'close')
    found.resolve(late)
    await closed
  })
})

/** Something that ends TLS with a key of its own and passes on what is inside. */
async function proxyWith({ cleanup }: World, identity: LinkIdentity, target: number): Promise<number> {
  const server = createTlsServer({ key: identity.key.reveal(), cert: identity.certificate }, (visitor) => {
    void splice(visitor, connect(target, host))
  })
  cleanup.defer(() => void server.close())
  return listen(server)
}
