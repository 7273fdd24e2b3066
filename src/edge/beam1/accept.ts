import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { AgentHello } from '../../contract/tunnel.ts'
import { plainAddress } from '../../lib/address.ts'
import type { Log } from '../../lib/log.ts'
import type { Signal } from '../../lib/signals.ts'
import { type LinkEnd, LinkError, type LinkIdentity } from '../../link/index.ts'
import type { GreetedAgent } from '../sessions.ts'
import {
  beam1Protocol,
  beam1Version,
  type EdgeLine,
  type ErrorCode,
  Hello,
  HelloVersion,
  sessionErrorCode,
  streamsDefault,
} from './control.ts'
import type { Beam1Limits } from './limits.ts'
import { Lines } from './lines.ts'
import { Beam1Link } from './link.ts'
import { LostTunnels } from './lost-tunnels.ts'
import { Mux } from './mux.ts'
import type { MuxStream } from './mux-stream.ts'

export interface Beam1AcceptorOptions {
  /** Judges an agent. Throws a `LinkError` to refuse. */
  greet(hello: AgentHello, from: { remoteAddress: string }): Promise<GreetedAgent>
  /** Tells the id of a tunnel that nobody serves any more. */
  freed: Pick<Signal<string>, 'on'>
  /** Shown where there is no certificate. */
  identity: LinkIdentity
  /** The name that all tunnels' host names end in. */
  base: string
  limits: Beam1Limits
  log: Log
}

/**
 * Takes connections of agents that speak `beam/1`:
 *
 *   TLS ──▶ yamux ──its first stream──▶ hello ──greet──▶ a session of the edge
 *    └────────────────── late, wrong or refused ──▶ told why as far as that is possible, and closed
 */
export class Beam1Acceptor implements AsyncDisposable {
  readonly #options: Beam1AcceptorOptions
  /** Oldest first. */
  readonly #arrivals = new Set<Arrival>()
  readonly #links = new Set<Beam1Link>()
  readonly #lost = new LostTunnels()
  readonly #unsubscribe: () => void
  #identityContext: SecureContext | undefined
  #closing = false

  constructor(options: Beam1AcceptorOptions) {
    this.#options = options
    this.#unsubscribe = options.freed.on((tunnelId) => this.#lost.freed(tunnelId))
  }

  /**
   * Takes over a connection whose ClientHello was read and put back.
   * @param context of a certificate that the agent can check; null where there is none for the name.
   */
  serve(socket: Socket, context: SecureContext | null): void {
    const arrival = this.#arrive(() => socket.destroy())
    socket.on('error', () => undefined)
    if (!arrival) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context ?? this.#ownContext(),
      ALPNProtocols: [beam1Protocol],
    })
    // In TLS 1.2 a client could ask for one costly handshake after the other.
    secure.disableRenegotiation()
    secure.on('error', () => secure.destroy())
    // A failed handshake destroys only the outer socket in some Node versions: whoever ends one ends both.
    socket.once('close', () => secure.destroy())
    secure.once('close', () => {
      arrival.over()
      socket.destroy()
    })
    secure.once('secure', () => {
      if (secure.alpnProtocol === beam1Protocol && !secure.destroyed)
        this.#begin(secure, plainAddress(socket.remoteAddress), arrival)
      else secure.destroy()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true
    this.#unsubscribe()
    for (const arrival of [...this.#arrivals]) arrival.drop()
    for (const link of [...this.#links]) link.close('edge shutting down')
  }

  /** Undefined where there is no room. */
  #arrive(drop: () => void): Arrival | undefined {
    const { limits, log } = this.#options
    if (this.#closing) return undefined
    if (this.#arrivals.size >= limits.arrivalsMax) {
      // Who says nothing makes room: an honest hello comes with the end of the TLS handshake.
      const silent = [...this.#arrivals].find(({ isJudged }) => !isJudged)
      log.warn({ arrivals: this.#arrivals.size }, 'too many agents of beam/1 arrive at once: one is dropped')
      if (!silent) return undefined
      silent.drop()
    }
    let timer = setTimeout(drop, limits.helloMs)
    const arrival: Arrival = {
      isJudged: false,
      judge: () => {
        arrival.isJudged = true
        clearTimeout(timer)
        timer = setTimeout(drop, limits.greetMs)
      },
      drop: () => {
        arrival.over()
        drop()
      },
      over: () => {
        clearTimeout(timer)
        this.#arrivals.delete(arrival)
      },
    }
    this.#arrivals.add(arrival)
    return arrival
  }

  #begin(duplex: Duplex, remoteAddress: string, arrival: Arrival): void {
    const { limits } = this.#options
    const closed = Promise.withResolvers<LinkEnd>()
    let greeted: GreetedAgent | undefined
    const mux = new Mux({
      duplex,
      limits,
      onStream: (control) => {
        let link: Beam1Link | undefined
        const lines = new Lines({
          stream: control,
          lineBytesMax: limits.lineBytesMax,
          onLine: (line) => {
            if (link) {
              link.hear(line)
              return
            }
            lines.hold()
            void this.#greet({ line, mux, control, remoteAddress, arrival, closed: closed.promise }).then((agent) => {
              if (!agent) return
              greeted = agent.greeted
              link = agent.link
              lines.goOn()
            })
          },
          onEnd: (reason) => {
            if (reason === 'ended') mux.close('closed', 'the agent has ended its control stream')
            else if (link) link.close(`a message is longer than ${limits.lineBytesMax} bytes`, 'protocol')
            else refuse(mux, control, 'bad_hello', `the hello is longer than ${limits.lineBytesMax} bytes`)
          },
        })
      },
      onRead: (bytes, source) => greeted?.events.onRead(bytes, source),
      onEnd: (end) => {
        arrival.over()
        closed.resolve(end)
      },
    })
  }

  /** Judges the first line. Resolves to null when it was refused, or nobody is there any more. */
  async #greet({ line, mux, control, remoteAddress, arrival, closed }: Judged): Promise<Agent | null> {
    const { greet, limits, base, log } = this.#options
    try {
      const hello = parseHello(line)
      arrival.judge()
      const greeted = await greet(
        { role: 'agent', version: 1, credential: hello.token, software: beam1Protocol },
        { remoteAddress },
      )
      if (!mux.isOpen || this.#closing) return null
      const { slug } = greeted.welcome
      if (slug === null)
        throw new HelloRefusal('bad_token', "A node's credential opens no tunnels here: use an API key of a workspace.")
      if (hello.scope && hello.scope !== slug)
        throw new HelloRefusal('bad_token', `invalid token, or scope "${hello.scope}" not available to this login`)
      arrival.over()
      mux.streamsMax = hello.max_streams || streamsDefault
      const link = new Beam1Link({
        mux,
        control,
        limits,
        closed,
        lost: this.#lost,
        onMessage: (message) => greeted.events.onMessage(message),
        onClaimBack: (ref, request) => greeted.claimBack(ref, request),
      })
      this.#links.add(link)
      void closed.then(() => this.#links.delete(link))
      link.say({ type: 'hello_ok', slug, base_domain: base, shape: 'subdomain', proto_version: beam1Version })
      greeted.opened(link)
      return { greeted, link }
    } catch (error) {
      if (error instanceof HelloRefusal) refuse(mux, control, error.code, error.message)
      else if (error instanceof LinkError) refuse(mux, control, sessionErrorCode(error.code), error.message)
      else {
        log.error({ err: error, remoteAddress }, 'a hello could not be judged')
        refuse(mux, control, 'internal', 'the hello could not be judged: try again later')
      }
      return null
    }
  }

  #ownContext(): SecureContext {
    const { key, certificate } = this.#options.identity
    this.#identityContext ??= createSecureContext({ key: key.reveal(), cert: certificate, minVersion: 'TLSv1.2' })
    return this.#identityContext
  }
}

/** A connection whose agent has not been let in. */
interface Arrival {
  /** Its hello is with the control plane. */
  isJudged: boolean
  judge(): void
  drop(): void
  /** Idempotent. */
  over(): void
}

interface Judged {
  line: string
  mux: Mux
  control: MuxStream
  remoteAddress: string
  arrival: Arrival
  closed: Promise<LinkEnd>
}

interface Agent {
  greeted: GreetedAgent
  link: Beam1Link
}

class HelloRefusal extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.name = 'HelloRefusal'
    this.code = code
  }
}

function parseHello(line: string): Hello {
  let message: unknown
  try {
    message = JSON.parse(line)
  } catch {
    throw new HelloRefusal('bad_hello', 'the first message is not JSON')
  }
  const version = HelloVersion.safeParse(message)
  if (!version.success) throw new HelloRefusal('bad_hello', 'first message must be hello')
  if (version.data.proto_version !== beam1Version)
    throw new HelloRefusal(
      'bad_version',
      `protocol version ${version.data.proto_version} is not supported; expected ${beam1Version}`,
    )
  const hello = Hello.safeParse(message)
  if (hello.success) return hello.data
  const [issue] = hello.error.issues
  throw new HelloRefusal('bad_hello', `${issue?.path.join('.') || 'hello'}: ${issue?.message ?? 'is not valid'}`)
}

function refuse(mux: Mux, control: MuxStream, code: ErrorCode, message: string): void {
  const line: EdgeLine = { type: 'error', code, message }
  if (!control.destroyed && !control.writableEnded) control.write(`${JSON.stringify(line)}\n`)
  mux.close('refused', message)
}
