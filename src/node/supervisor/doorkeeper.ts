import type { ServerSpec } from '../../contract/node.ts'
import { type Nap, napsMax } from '../../contract/wake.ts'
import type { Clock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { printableLine } from '../../lib/printable.ts'
import type { Queue } from '../../lib/queue.ts'
import { Door, doorPortsOf, openAgainMs, type Visit, wakesPerHourMax, wakesWindowMs } from '../doorman/index.ts'
import type { Console } from './console.ts'
import type { ServerRecord } from './record.ts'
import { capital, wordsOf } from './words.ts'

/** What a door needs of the server behind it. */
export interface DoorSurroundings {
  /** In which everything of the server happens. */
  queue: Queue
  clock: Clock
  log: Log
  console: Pick<Console, 'note'>
  record: ServerRecord
  spec(): ServerSpec
  /** Whether the node has let go of the server. */
  closed(): boolean
  /** Tells what the record says now. */
  publish(): void
  /** @throws AppError `conflict` where the server cannot be started now */
  refuseUnstartable(): Promise<void>
  /** Starts the sleeping server. */
  wake(now: number): Promise<void>
}

/** Tends the door of one server: opens it while the server sleeps, lets visitors wake it within limits, hands them over once it is up. */
export class Doorkeeper implements AsyncDisposable {
  readonly #around: DoorSurroundings
  /** Of its last sleep. */
  #door: Door | null = null
  #openAgain: AbortController | null = null
  /** For whoever waits until it is up. */
  #coming: PromiseWithResolvers<void> | null = null

  constructor(around: DoorSurroundings) {
    this.#around = around
  }

  /** Whether it listens on the server's ports. */
  get listening(): boolean {
    return this.#door?.listening ?? false
  }

  /** Whether it listens on this one. */
  holds(port: number, protocol: 'tcp' | 'udp'): boolean {
    return this.#door?.holds(port, protocol) ?? false
  }

  /** The door of a sleeping server is open; that of one that starts keeps whoever waits there, and hands them over once it is up. */
  tend(): void {
    switch (this.#around.record.power.phase) {
      case 'sleeping':
        void this.#around.queue.run(() => this.#open())
        return
      case 'starting':
        this.#openAgain?.abort()
        this.#door?.starting()
        return
      case 'running':
        this.#door?.handOver()
        this.#coming?.resolve()
        this.#coming = null
        return
      case 'installing':
      case 'install_failed':
      case 'offline':
      case 'restoring':
      case 'restore_failed':
      case 'stopping':
        this.#openAgain?.abort()
        this.#door?.drop()
        this.#coming?.reject(new Error('it does not come'))
        this.#coming = null
    }
  }

  /** Opens the door of a sleeping server anew where its spec differs in what the door depends on. */
  specChanged(before: ServerSpec): void {
    const { record, spec } = this.#around
    if (record.power.phase !== 'sleeping' || doorOf(spec()) === doorOf(before)) return
    this.#door?.drop()
    this.tend()
  }

  /** Lets go of the ports, at once; whoever waits goes on waiting. */
  close(): void {
    this.#door?.close()
  }

  /** Resolves once the server is up, rejects where it does not come. For one that sleeps or starts. */
  coming(): Promise<void> {
    this.#coming ??= withResolvers()
    return this.#coming.promise
  }

  /** Notes in the record that it fell asleep or was woken. */
  nap(kind: Nap['kind'], why: string, address: string | null): void {
    const { record, clock } = this.#around
    const nap = { id: newShortId(), kind, at: clock.now(), why: why.slice(0, napWordsMax), address }
    record.naps = [...record.naps, nap].slice(-napsMax)
  }

  /** Ends everything of it, also connections that it passes on to the game. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#openAgain?.abort()
    await this.#door?.[Symbol.asyncDispose]()
  }

  async #open(): Promise<void> {
    const { record, spec, closed, log, publish } = this.#around
    if (closed() || record.power.phase !== 'sleeping' || this.#door?.listening) return
    this.#openAgain?.abort()
    await this.#door?.[Symbol.asyncDispose]()
    const before = record.message
    try {
      this.#door = await Door.open({
        name: spec().name,
        ports: doorPortsOf(spec()),
        startMs: record.lastStartMs,
        wake: (visit) => this.#wake(visit),
        log,
      })
      if (closed()) await this.#door[Symbol.asyncDispose]()
      record.message = null
    } catch (error) {
      record.message = `Visitors cannot wake it: ${wordsOf(error)}`
      this.#tryAgain()
    }
    if (record.message !== before) publish()
  }

  #tryAgain(): void {
    const again = new AbortController()
    this.#openAgain = again
    void this.#around.clock.sleep(openAgainMs, again.signal).then(
      () => this.#around.queue.run(() => this.#open()),
      // Taken back: it is not asleep any more.
      () => undefined,
    )
  }

  /** A visitor wants in. Resolves to why the sleeping server is not started, in words for that visitor, or to null. */
  async #wake({ what, address }: Visit): Promise<string | null> {
    const { queue, clock, log, console, record, spec, closed } = this.#around
    try {
      return await queue.run(async () => {
        const { phase } = record.power
        if (phase === 'starting' || phase === 'running') return null
        if (closed() || phase !== 'sleeping') return 'It was just stopped.'
        const now = clock.now()
        const recent = record.recentWakes.filter((at) => at <= now && now - at < wakesWindowMs)
        if (recent.length >= wakesPerHourMax) return this.#stayAsleep(tooOften, tooOften)
        const obstacle = await this.#around.refuseUnstartable().then(
          () => null,
          (error: unknown) => wordsOf(error),
        )
        if (obstacle !== null) return this.#stayAsleep(cannotNow, obstacle)
        record.recentWakes = [...recent, now]
        const words = capital(printableLine(what))
        this.nap('woke', words, address)
        await console.note(`${words}${address === null ? '' : ` from ${address}`}: it wakes up`)
        await this.#around.wake(now)
        return null
      })
    } catch (error) {
      log.error({ err: error, server: spec().id }, 'a sleeping server could not be woken')
      return cannotNow
    }
  }

  /** Tells the owner why, and the visitor as much as they may know. */
  #stayAsleep(told: string, why: string): string {
    const { record, publish } = this.#around
    if (record.message !== why) {
      record.message = why
      publish()
    }
    return told
  }
}

const tooOften = `Visitors have woken it ${wakesPerHourMax} times within an hour: it sleeps on for a while, until somebody starts it by hand.`
const cannotNow = 'It cannot start now: ask its owner.'

/** Characters of why it slept or woke: a sentence with a name in it. */
const napWordsMax = 200

/** What the door of a server depends on. */
const doorOf = (spec: ServerSpec): string => JSON.stringify([spec.name, doorPortsOf(spec)])

/** One that nobody may wait for. */
function withResolvers(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>()
  made.promise.catch(() => undefined)
  return made
}
