import { performance } from 'node:perf_hooks'
import type { ZodType } from 'zod'
import { TunnelName } from '../../contract/fields.ts'
import type { AgentMessage, EdgeMessage, TunnelRequest, VisitorHead } from '../../contract/tunnel.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import { type LinkEnd, LinkError, type LinkErrorCode, type LinkStream } from '../../link/index.ts'
import type { AgentLink } from '../sessions.ts'
import { AnyMessage, type EdgeLine, Register, registerErrorCode, sessionErrorCode, Unregister } from './control.ts'
import type { Beam1Limits } from './limits.ts'
import type { Claimant, LostTunnels } from './lost-tunnels.ts'
import type { Mux } from './mux.ts'
import type { MuxStream } from './mux-stream.ts'

export interface Beam1LinkOptions {
  mux: Mux
  control: MuxStream
  limits: Beam1Limits
  /** Resolves once the session has ended. */
  closed: Promise<LinkEnd>
  /** Of all agents of the protocol. */
  lost: LostTunnels
  /** Hears what the agent wants, in the words of our own agents. */
  onMessage(message: AgentMessage): void
  /** The same as an `open`, unless somebody serves the tunnel by then. */
  onClaimBack(ref: string, request: TunnelRequest): void
}

/** The link of an agent that speaks `beam/1`: what the edge says and hears is put into that protocol's words, and out of them. */
export class Beam1Link implements AgentLink, Claimant {
  readonly streamPerRequest = true
  readonly closed: Promise<LinkEnd>
  readonly #options: Beam1LinkOptions
  readonly #messages: TokenBuckets
  /** Open tunnels by their id, and their ids by name. */
  readonly #tunnels = new Map<string, Registered & { url: string }>()
  readonly #ids = new Map<string, string>()
  /** Registers that wait for an answer, by `ref`. */
  readonly #pending = new Map<string, Registered & { isWithdrawn: boolean; isSilent: boolean }>()
  /** What others have taken over, by its id, the oldest first. */
  readonly #lost = new Map<string, Registered>()
  #refs = 0

  constructor(options: Beam1LinkOptions) {
    const { messagesPerSecond, messagesBurst } = options.limits
    this.#options = options
    this.closed = options.closed
    void options.closed.then(() => {
      for (const tunnelId of [...this.#lost.keys()]) this.#giveUp(tunnelId)
    })
    this.#messages = new TokenBuckets({ perSecond: messagesPerSecond, burst: messagesBurst, keysMax: 1 })
  }

  open(head: VisitorHead): LinkStream {
    const { mux } = this.#options
    const tunnel = this.#tunnels.get(head.tunnelId)
    if (!tunnel) throw new LinkError('refused', 'the agent does not know this tunnel')
    if (head.protocol === 'udp' || head.offset !== 0)
      throw new LinkError('refused', `beam/1 has no words for port ${head.offset} of a ${head.protocol} tunnel`)
    const stream = mux.open(head.protocol === 'http')
    stream.write(`${tunnel.name}\n`)
    return stream
  }

  send(message: EdgeMessage): void {
    switch (message.type) {
      case 'opened':
        this.#opened(message)
        break
      case 'refused': {
        const pending = this.#pending.get(message.ref)
        this.#pending.delete(message.ref)
        if (!pending || pending.isSilent) break
        const code = registerErrorCode(message.code)
        this.say({ type: 'error', code, name: pending.name, message: message.message })
        break
      }
      case 'closed':
        // There is no word for it. An agent that is to ask again does so over a new session.
        if (message.again) this.close(message.reason)
        else this.#lose(message.tunnelId)
        break
      case 'edges':
      case 'draining':
        // An agent of this protocol knows one edge, and stays with it until it ends.
        break
    }
  }

  freed(tunnelId: string): void {
    const lost = this.#lost.get(tunnelId)
    if (lost) this.#options.onClaimBack(this.#expect(lost, true), lost)
  }

  close(reason: string, code: LinkErrorCode = 'closed'): void {
    this.say({ type: 'error', code: sessionErrorCode(code), message: reason })
    this.#options.mux.close(code, reason)
  }

  /** Writes a message to the agent. */
  say(line: EdgeLine): void {
    const { control, mux, limits } = this.#options
    if (control.destroyed || control.writableEnded || !mux.isOpen) return
    control.write(`${JSON.stringify(line)}\n`)
    if (control.writableLength > limits.answersBytesMax) mux.destroy('the agent does not read what it is told')
  }

  /** A message of the agent, after its hello. */
  hear(line: string): void {
    if (!this.#messages.take('', performance.now())) {
      this.close('too many messages', 'limit')
      return
    }
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {
      this.close('a message is not JSON', 'protocol')
      return
    }
    const { success, data } = AnyMessage.safeParse(message)
    switch (success ? data.type : '') {
      case 'register':
        this.#register(message)
        break
      case 'unregister':
        this.#unregister(message)
        break
      case 'heartbeat':
        break
      case '':
        this.say({ type: 'error', code: 'bad_message', message: 'a message needs a type' })
        break
      default:
        this.say({
          type: 'error',
          code: 'unknown_message',
          message: `unknown type: ${data?.type.slice(0, echoCharactersMax)}`,
        })
    }
  }

  #register(message: unknown): void {
    const wanted = this.#parse(Register, message)
    if (!wanted) return
    const { port, kind } = wanted
    const name = wanted.name || String(port)
    const valid = TunnelName.safeParse(name)
    if (!valid.success) {
      const reason = valid.error.issues[0]?.message ?? 'is not valid'
      const shown = name.slice(0, echoCharactersMax)
      this.say({ type: 'error', code: 'invalid_name', name: shown, message: `The name ${reason}.` })
      return
    }
    const open = this.#tunnels.get(this.#ids.get(name) ?? '')
    if (open) {
      this.say({ type: 'registered', name, url: open.url })
      return
    }
    const tunnel = { kind, name }
    this.#options.onMessage({ type: 'open', ref: this.#expect(tunnel, false), tunnel })
  }

  /** Returns the `ref` of what is asked for now. */
  #expect({ kind, name }: Registered, isSilent: boolean): string {
    this.#refs += 1
    const ref = String(this.#refs)
    this.#pending.set(ref, { kind, name, isWithdrawn: false, isSilent })
    return ref
  }

  #unregister(message: unknown): void {
    const wanted = this.#parse(Unregister, message)
    if (!wanted) return
    for (const pending of this.#pending.values()) if (pending.name === wanted.name) pending.isWithdrawn = true
    for (const [tunnelId, { name }] of [...this.#lost]) if (name === wanted.name) this.#giveUp(tunnelId)
    const tunnelId = this.#ids.get(wanted.name)
    if (tunnelId !== undefined) this.#close(tunnelId)
  }

  #opened({ ref, tunnelId, url }: Extract<EdgeMessage, { type: 'opened' }>): void {
    const pending = this.#pending.get(ref)
    if (!pending) return
    const { kind, name, isWithdrawn, isSilent } = pending
    this.#pending.delete(ref)
    this.#giveUp(tunnelId)
    this.#tunnels.set(tunnelId, { kind, name, url })
    this.#ids.set(name, tunnelId)
    if (!isSilent) this.say({ type: 'registered', name, url })
    // It becomes effective in this turn: it can be closed in the next one.
    if (isWithdrawn) setImmediate(() => this.#close(tunnelId))
  }

  #close(tunnelId: string): void {
    this.#forget(tunnelId)
    this.#options.onMessage({ type: 'close', tunnelId })
  }

  #forget(tunnelId: string): void {
    const tunnel = this.#tunnels.get(tunnelId)
    this.#tunnels.delete(tunnelId)
    if (tunnel && this.#ids.get(tunnel.name) === tunnelId) this.#ids.delete(tunnel.name)
  }

  #lose(tunnelId: string): void {
    const tunnel = this.#tunnels.get(tunnelId)
    this.#forget(tunnelId)
    if (!tunnel || !this.#options.mux.isOpen) return
    this.#lost.set(tunnelId, { kind: tunnel.kind, name: tunnel.name })
    this.#options.lost.add(tunnelId, this)
    const [oldest] = this.#lost.keys()
    if (oldest !== undefined && this.#lost.size > lostMax) this.#giveUp(oldest)
  }

  /** Does not want back what it has lost. */
  #giveUp(tunnelId: string): void {
    if (this.#lost.delete(tunnelId)) this.#options.lost.delete(tunnelId, this)
  }

  #parse<Message>(schema: ZodType<Message>, message: unknown): Message | undefined {
    const { success, data, error } = schema.safeParse(message)
    if (success) return data
    const [issue] = error.issues
    this.say({
      type: 'error',
      code: 'bad_message',
      message: `${issue?.path.join('.') || 'the message'}: ${issue?.message ?? 'is not valid'}`,
    })
    return undefined
  }
}

/** What an agent has registered. */
interface Registered {
  kind: 'http' | 'tcp' | 'tls' | 'minecraft'
  name: string
}

/** As many as it may have open; of more, the oldest are not claimed back. */
const lostMax = 1_000

/** What an agent has said comes back to it up to this length. */
const echoCharactersMax = 64
