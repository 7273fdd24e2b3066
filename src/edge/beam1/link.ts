import { performance } from 'node:perf_hooks'
import type { ZodType } from 'zod'
import { TunnelName } from '../../contract/fields.ts'
import type { AgentMessage, EdgeMessage, VisitorHead } from '../../contract/tunnel.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import { type LinkEnd, LinkError, type LinkErrorCode, type LinkStream } from '../../link/index.ts'
import type { AgentLink } from '../sessions.ts'
import { AnyMessage, type EdgeLine, Register, registerErrorCode, sessionErrorCode, Unregister } from './control.ts'
import type { Beam1Limits } from './limits.ts'
import type { Mux } from './mux.ts'
import type { MuxStream } from './mux-stream.ts'

export interface Beam1LinkOptions {
  mux: Mux
  control: MuxStream
  limits: Beam1Limits
  /** Resolves once the session has ended. */
  closed: Promise<LinkEnd>
  /** Hears what the agent wants, in the words of our own agents. */
  onMessage(message: AgentMessage): void
}

/** The link of an agent that speaks `beam/1`: what the edge says and hears is put into that protocol's words, and out of them. */
export class Beam1Link implements AgentLink {
  readonly streamPerRequest = true
  readonly closed: Promise<LinkEnd>
  readonly #options: Beam1LinkOptions
  readonly #messages: TokenBuckets
  /** Open tunnels by their id, and their ids by name. */
  readonly #tunnels = new Map<string, { name: string; url: string }>()
  readonly #ids = new Map<string, string>()
  /** Registers that wait for an answer, by `ref`. */
  readonly #pending = new Map<string, { name: string; isWithdrawn: boolean }>()
  #refs = 0

  constructor(options: Beam1LinkOptions) {
    const { messagesPerSecond, messagesBurst } = options.limits
    this.#options = options
    this.closed = options.closed
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
        const name = this.#pending.get(message.ref)?.name
        this.#pending.delete(message.ref)
        if (name !== undefined)
          this.say({ type: 'error', code: registerErrorCode(message.code), name, message: message.message })
        break
      }
      case 'closed':
        this.#forget(message.tunnelId)
        // There is no word for it. An agent that is to ask again does so over a new session.
        if (message.again) this.close(message.reason)
        break
      case 'edges':
      case 'draining':
        // An agent of this protocol knows one edge, and stays with it until it ends.
        break
    }
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
      this.say({ type: 'registered', ...open })
      return
    }
    this.#refs += 1
    const ref = String(this.#refs)
    this.#pending.set(ref, { name, isWithdrawn: false })
    this.#options.onMessage({ type: 'open', ref, tunnel: { kind, name } })
  }

  #unregister(message: unknown): void {
    const wanted = this.#parse(Unregister, message)
    if (!wanted) return
    for (const pending of this.#pending.values()) if (pending.name === wanted.name) pending.isWithdrawn = true
    const tunnelId = this.#ids.get(wanted.name)
    if (tunnelId !== undefined) this.#close(tunnelId)
  }

  #opened({ ref, tunnelId, url }: Extract<EdgeMessage, { type: 'opened' }>): void {
    const pending = this.#pending.get(ref)
    if (!pending) return
    const { name, isWithdrawn } = pending
    this.#pending.delete(ref)
    this.#tunnels.set(tunnelId, { name, url })
    this.#ids.set(name, tunnelId)
    this.say({ type: 'registered', name, url })
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

/** What an agent has said comes back to it up to this length. */
const echoCharactersMax = 64
