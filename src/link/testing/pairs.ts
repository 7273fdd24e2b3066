import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../lib/log.ts'
import {
  acceptLinks,
  acceptWebSockets,
  type Channel,
  type DatagramEndpoint,
  type Dialler,
  type DialOptions,
  dialLink,
  type Greeted,
  type Link,
  type LinkAcceptor,
  type LinkEvents,
  type LinkIdentity,
  type LinkLimits,
  type LinkStream,
  listenShared,
  loadIdentity,
  memoryPair,
  tcpChannel,
  tcpDialler,
  tlsDialler,
  webSocketDialler,
} from '../index.ts'

/** A transport as the tests see it: something that dials into an acceptor. */
export interface TestTransport extends AsyncDisposable {
  dialler: Dialler
}

export type TransportName = 'memory' | 'tcp' | 'tls' | 'websocket'
export const transportNames: TransportName[] = ['memory', 'tcp', 'tls', 'websocket']

/** What can be waited for: streams and messages as they arrive. */
export class Arrivals<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  readonly #waiting: ((item: T) => void)[] = []
  add(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(item)
    else this.#items.push(item)
  }
  next(): Promise<T> {
    const item = this.#items.shift()
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item)
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (true) yield await this.next()
  }
}

export interface TestEnd {
  link: Link
  streams: Arrivals<{ stream: LinkStream; head: unknown }>
  messages: Arrivals<unknown>
  /** How the sealed path fares. */
  paths: Arrivals<'frames' | 'udp'>
}

export interface TestPair extends AsyncDisposable {
  dialler: TestEnd
  acceptor: TestEnd
  /** Cuts the first connection without a word. */
  cut(): void
}

export interface PairOptions {
  limits?: Partial<LinkLimits>
  onStream?: LinkEvents['onStream']
  /** Where the accepting end offers sealed paths, and how the dialling end takes them. */
  datagrams?: DatagramEndpoint
  sealedPath?: DialOptions['sealedPath']
}

export async function openTransport(name: TransportName, acceptor: LinkAcceptor): Promise<TestTransport> {
  switch (name) {
    case 'memory':
      return {
        dialler: async () => {
          const [left, right] = memoryPair()
          acceptor.accept(right)
          return left
        },
        async [Symbol.asyncDispose]() {},
      }
    case 'tcp': {
      const server = createServer((socket) => acceptor.accept(tcpChannel(socket)))
      const port = await listen(server)
      return {
        dialler: tcpDialler({ host: '127.0.0.1', port }),
        async [Symbol.asyncDispose]() {
          server.close()
        },
      }
    }
    case 'tls': {
      await using cleanup = new AsyncDisposableStack()
      const identity = await testIdentity(cleanup)
      const onPlain = (): void => {
        throw new Error('nothing plain is expected here')
      }
      const port = cleanup.use(
        await listenShared({ host: '127.0.0.1', port: 0, identity, acceptor, onPlain, log: silentLog }),
      )
      const keep = cleanup.move()
      return {
        dialler: tlsDialler({ host: '127.0.0.1', port: port.port, pin: identity.pin }),
        [Symbol.asyncDispose]: () => keep.disposeAsync(),
      }
    }
    case 'websocket': {
      await using cleanup = new AsyncDisposableStack()
      const identity = await testIdentity(cleanup)
      const sockets = cleanup.use(acceptWebSockets(identity, acceptor))
      const server = createServer({ allowHalfOpen: true }, (socket) => sockets.take(socket))
      const port = await listen(server)
      cleanup.defer(() => void server.close())
      const keep = cleanup.move()
      return {
        dialler: webSocketDialler({ host: '127.0.0.1', port, secure: false, pin: identity.pin }),
        [Symbol.asyncDispose]: () => keep.disposeAsync(),
      }
    }
  }
}

async function testIdentity(cleanup: AsyncDisposableStack): Promise<LinkIdentity> {
  const folder = await mkdtemp(join(tmpdir(), 'link-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  return loadIdentity(folder)
}

/** Both ends of one link, over the transport of that name. */
export async function openPair(name: TransportName, options: PairOptions = {}): Promise<TestPair> {
  await using cleanup = new AsyncDisposableStack()
  const accepted = testEvents(options.onStream)
  const dialled = testEvents(options.onStream)
  const opened = new Arrivals<Link>()
  const limits = options.limits ?? {}
  const greeted: Greeted = {
    welcome: { you: 'are welcome' },
    events: accepted.events,
    opened: (link) => opened.add(link),
  }
  const acceptor = cleanup.use(
    acceptLinks({ greet: async () => greeted, log: silentLog, limits, datagrams: () => options.datagrams ?? null }),
  )
  const transport = cleanup.use(await openTransport(name, acceptor))
  let channel: Channel | undefined
  const dialler: Dialler = async (signal) => {
    const made = await transport.dialler(signal)
    channel ??= made
    return made
  }
  const link = await dialLink({
    dialler,
    hello: { i: 'am here' },
    events: dialled.events,
    limits,
    sealedPath: options.sealedPath ?? {},
  })
  cleanup.defer(() => link.close('the test is over'))
  const other = await opened.next()
  const keep = cleanup.move()
  return {
    dialler: { link, streams: dialled.streams, messages: dialled.messages, paths: dialled.paths },
    acceptor: { link: other, streams: accepted.streams, messages: accepted.messages, paths: accepted.paths },
    cut: () => channel?.duplex.destroy(),
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  }
}

export function testEvents(
  onStream?: LinkEvents['onStream'],
): Pick<TestEnd, 'streams' | 'messages' | 'paths'> & { events: LinkEvents } {
  const streams: TestEnd['streams'] = new Arrivals()
  const messages = new Arrivals<unknown>()
  const paths: TestEnd['paths'] = new Arrivals()
  const events: LinkEvents = {
    onStream: onStream ?? ((stream, head) => streams.add({ stream, head })),
    onMessage: (message) => messages.add(message),
    onDatagramPath: (via) => paths.add(via),
  }
  return { events, streams, messages, paths }
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // an address of TCP
}
