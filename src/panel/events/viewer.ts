import type { z } from 'zod'
import type { ServerEvent, ServerEventRequest } from '../../contract/api/servers.ts'
import type { CloseCause, SocketChannel } from '../../contract/operation.ts'
import type { Log } from '../../lib/log.ts'
import type { Access, Caller } from '../access/index.ts'
import type { Change } from '../db/index.ts'
import { bufferPollMs, smallEventChars, viewerBufferBytesMax, viewerWaitingCharsMax } from './limits.ts'

export type Event = z.input<typeof ServerEvent>
export type EventChannel = Pick<SocketChannel<Event, never>, 'send' | 'bufferedBytes' | 'signal' | 'close'>
export type CommandChannel = SocketChannel<Event, z.output<typeof ServerEventRequest>>

/** What is sent when its turn has come: some events, or nothing. */
export type Make = () => Event | Event[] | null | Promise<Event | Event[] | null>

export interface Ending {
  reason: string
  cause: CloseCause
}

export const endings = {
  ended: { cause: 'refused', reason: 'Your session or key has ended.' },
  noAccess: { cause: 'refused', reason: 'The server is gone, or you may no longer see it.' },
  deleted: { cause: 'done', reason: 'The server was deleted.' },
  tooSlow: { cause: 'overloaded', reason: 'You read slower than the server speaks: connect again.' },
  stopping: { cause: 'restarting', reason: 'The panel is restarting: connect again.' },
  tooMany: { cause: 'refused', reason: 'You have too many live connections: close some.' },
  fault: { cause: 'failed', reason: 'Something went wrong on our side: connect again.' },
} as const satisfies Record<string, Ending>

/**
 * One live connection. Everything waits in one line and is sent in order, each message only if the caller may have it at that
 * moment. A reader that does not keep up is let go of, so that it costs no memory.
 */
export abstract class Viewer {
  readonly caller: Caller
  protected readonly access: Pick<Access, 'serverAccess' | 'stillValid'>
  readonly #channel: EventChannel
  readonly #log: Log
  readonly #waiting: { make: Make; chars: number }[] = []
  #waitingChars = 0
  readonly #ended = new AbortController()
  #pumping = false

  constructor(caller: Caller, channel: EventChannel, access: Pick<Access, 'serverAccess' | 'stillValid'>, log: Log) {
    this.caller = caller
    this.access = access
    this.#channel = channel
    this.#log = log
    if (channel.signal.aborted) this.#ended.abort()
    else channel.signal.addEventListener('abort', () => this.#ended.abort(), { once: true })
  }

  /** Aborted when nothing more is sent: a peer that does not read may keep its end open for a while after that. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Whether a change may take something away from this viewer, or give it something. */
  concerns(change: Change): boolean {
    const { userId, via } = this.caller
    switch (change.of) {
      case 'token':
        return via.kind === 'token' && via.tokenId === change.id
      case 'session':
        return via.kind === 'session' && via.sessionId === change.id
      case 'user':
        return userId === change.id
      case 'member':
        return userId === change.userId
      case 'subuser':
        return userId === change.userId
      case 'workspace':
        return true
      case 'server':
        return this.sees(change.id)
      case 'edge':
      case 'node':
      case 'tunnel':
      case 'log-level':
        return false
    }
  }

  /** Looks at the caller's right again, after what waits already; closes where there is none left. */
  abstract recheck(change: Change | null): void

  /** The same where changes may have been missed. */
  abstract refresh(): void

  protected abstract sees(serverId: string): boolean

  close({ reason, cause }: Ending): void {
    this.#waiting.length = 0
    this.#ended.abort()
    this.#channel.close(reason, cause)
  }

  protected queue(make: Make, chars = smallEventChars): void {
    if (this.signal.aborted) return
    if (this.#waitingChars + chars > viewerWaitingCharsMax) {
      this.close(endings.tooSlow)
      return
    }
    this.#waiting.push({ make, chars })
    this.#waitingChars += chars
    if (!this.#pumping) void this.#pump()
  }

  /** False, and the connection is closing, where the session or key has ended. */
  protected async entitled(): Promise<boolean> {
    if (await this.access.stillValid(this.caller)) return true
    this.close(endings.ended)
    return false
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    try {
      for (let next = this.#waiting.shift(); next && !this.signal.aborted; next = this.#waiting.shift()) {
        if (!(await this.#room()) || !(await this.entitled())) return
        const made = await next.make()
        this.#waitingChars -= next.chars
        for (const event of made === null ? [] : [made].flat()) if (!this.signal.aborted) this.#channel.send(event)
      }
    } catch (error) {
      this.#log.error({ err: error }, 'a live connection failed')
      this.close(endings.fault)
    } finally {
      this.#pumping = false
    }
  }

  /** Waits until the connection has taken most of what it was given; it does not say when. False once it is closed. */
  async #room(): Promise<boolean> {
    while (!this.signal.aborted && this.#channel.bufferedBytes > viewerBufferBytesMax)
      await new Promise((resolve) => setTimeout(resolve, bufferPollMs))
    return !this.signal.aborted
  }
}
