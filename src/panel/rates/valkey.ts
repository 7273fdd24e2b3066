import type { Redis } from 'ioredis'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { answerWaitMs, connectWaitMs, pauseMs, questionsAtOnceMax, reconnectMostMs } from './limits.ts'

/** What is left of a window that all panels count together. */
export interface Grant {
  /** How many of those that were asked for; 0: the limit is reached. */
  granted: number
  remaining: number
  /** Until the window ends. */
  leftMs: number
}

/** Why a Valkey or Redis does not answer, by its kind alone; null where it does. */
export async function valkeyProblem(url: Secret, waitMs: number): Promise<string | null> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url.reveal().replace(/^valkey/, 'redis'), {
    lazyConnect: true,
    connectTimeout: waitMs,
    commandTimeout: waitMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  let first: NodeJS.ErrnoException | null = null
  client.on('error', (error: Error) => {
    first ??= error
  })
  try {
    await client.connect()
    await client.ping()
    return null
  } catch (error) {
    const { code, message } = first ?? (error as NodeJS.ErrnoException)
    return code ?? message.split(' ')[0] ?? 'unknown'
  } finally {
    client.disconnect()
  }
}

/** Counters in a Valkey or Redis. It is asked only while it answers in time; null stands for "ask nobody". */
export class Valkey implements AsyncDisposable {
  readonly #client: Redis
  readonly #log: Log
  #asking = 0
  #failed = false
  #quietUntil = 0
  #probing = false
  #said: 'nothing' | 'up' | 'away' = 'nothing'

  private constructor(client: Redis, log: Log) {
    this.#client = client
    this.#log = log
    client.on('ready', () => this.#say('up'))
    client.on('close', () => this.#say('away'))
    // What is wrong is said once, by its kind: messages may repeat what the server was sent.
    client.on('error', (error: Error & { code?: string }) =>
      this.#say('away', error.code ?? error.message.split(' ')[0]),
    )
  }

  /** Waits a moment for the connection; a server that is away is tried for ever. */
  static async open(url: Secret, log: Log): Promise<Valkey> {
    // Loaded where it is used: most panels need none.
    const { Redis } = await import('ioredis')
    const client = new Redis(url.reveal().replace(/^valkey/, 'redis'), {
      lazyConnect: true,
      connectionName: 'pharos-panel',
      connectTimeout: connectWaitMs,
      commandTimeout: answerWaitMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), reconnectMostMs),
    })
    const valkey = new Valkey(client, log)
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, connectWaitMs)
    await Promise.race([client.connect().catch(() => undefined), late.promise])
    clearTimeout(timer)
    return valkey
  }

  /** Whether it answers, as far as is known. */
  get up(): boolean {
    return this.#client.status === 'ready' && !this.#failed
  }

  /** Whether it makes sense to ask now. */
  get askable(): boolean {
    if (this.#client.status !== 'ready' || this.#asking >= questionsAtOnceMax) return false
    return !this.#failed || (!this.#probing && performance.now() >= this.#quietUntil)
  }

  /** Counts up to `want` events of the key, if the window that began with its first one has room. */
  async take(key: string, want: number, limit: number, windowMs: number): Promise<Grant | null> {
    const reply = await this.#ask(takeScript, key, want, limit, windowMs)
    if (!Array.isArray(reply) || reply.length !== 3 || !reply.every((part) => Number.isSafeInteger(part))) return null
    const [granted, remaining, leftMs] = reply as [number, number, number]
    return { granted, remaining, leftMs }
  }

  /** Gives one event back. Never rejects. */
  async giveBack(key: string): Promise<void> {
    await this.#ask(giveBackScript, key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#said = 'away'
    this.#client.disconnect()
  }

  async #ask(script: string, key: string, ...values: number[]): Promise<unknown> {
    if (!this.askable) return null
    const probes = this.#failed
    if (probes) this.#probing = true
    this.#asking += 1
    try {
      const reply = await this.#client.eval(script, 1, key, ...values)
      this.#failed = false
      this.#say('up')
      return reply
    } catch (error) {
      this.#failed = true
      this.#quietUntil = performance.now() + pauseMs
      this.#say('away', error instanceof Error ? error.message.split(' ')[0] : undefined)
      return null
    } finally {
      this.#asking -= 1
      if (probes) this.#probing = false
    }
  }

  #say(state: 'up' | 'away', why?: string): void {
    if (this.#said === state) return
    this.#said = state
    if (state === 'up') this.#log.info('limits are shared by all panels')
    else this.#log.warn({ why }, 'Valkey does not answer: each panel limits for itself until it does')
  }
}

// Every key has a time to live from its first event on; one that has lost it gets it again.
const takeScript = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local left = redis.call('PTTL', KEYS[1])
local want, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if left < 0 then used = 0; left = window end
local free = limit - used
if free < 1 then return {0, 0, left} end
local granted = math.min(want, math.max(1, math.floor(free / 4)))
redis.call('SET', KEYS[1], used + granted, 'PX', math.max(left, 1))
return {granted, free - granted, left}`

const giveBackScript = `
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if used > 0 then redis.call('SET', KEYS[1], used - 1, 'KEEPTTL') end
return used`
