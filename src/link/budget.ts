import { performance } from 'node:perf_hooks'
import { Violation } from './wire.ts'

/** What one connection has sent and the other end has not yet said to have received. */
export interface Flight {
  /** Bytes of data and datagram frames. */
  bytes: number
}

/**
 * How much of a link's bulk may be on its way at once, over all its connections together: what the network carries in one
 * round trip, and a quarter more. A sender that has more on its way only fills the queue of the slowest hop, where the small
 * frames of everybody wait behind it.
 *
 * The network is measured one round at a time: a mark at what was just sent, and the `received` frame that covers it. That gives
 * a round trip and the rate at which data was delivered meanwhile. The budget is the best rate of the last seconds × the lowest
 * round trip × 1.25; twice as much at first, until the rate stops growing. For a moment every few seconds it is less than the
 * network carries, so that the queue runs empty and the lowest round trip is seen again.
 */
export class Budget {
  #bytes = bytesFirst
  #inFlight = 0
  #delivered = 0
  #busy = 0
  #round: { flight: Flight; left: number; delivered: number; at: number } | null = null
  /** Bulk had to wait in this round: its rate is the network's and not that of a source with little to say. */
  #limited = false
  /** The best rate of each of the last seconds, the newest first. */
  #rates: { second: number; rate: number }[] = []
  /** The lowest round trip of this and of the last period. */
  #lowestMs = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  #periodAt = 0
  #starting = true
  #fullRate = 0
  #fullRounds = 0
  readonly #waiting = new Set<() => void>()

  /** The bytes that may be on their way, for tests and measurements. */
  get bytes(): number {
    return this.#bytes
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Whether this connection may send more bulk now. If not, `wake` is called once when something has arrived. */
  admits(flight: Flight, wake: () => void): boolean {
    // A connection that stalls must not keep the others from theirs, nor they it: each has its share, and at least a little.
    const share = this.#busy > 1 ? Math.max(shareBytesMin, (2 * this.#bytes) / this.#busy) : this.#bytes
    if (flight.bytes < shareBytesMin || (this.#inFlight < this.#bytes && flight.bytes < share)) return true
    this.#limited = true
    this.#waiting.add(wake)
    return false
  }

  sent(flight: Flight, bytes: number): void {
    if (bytes === 0) return
    if (flight.bytes === 0) this.#busy += 1
    flight.bytes += bytes
    this.#inFlight += bytes
    this.#round ??= { flight, left: flight.bytes, delivered: this.#delivered, at: performance.now() }
  }

  /** @throws Violation when the other end says to have received what was not sent. */
  received(flight: Flight, bytes: number): void {
    if (bytes === 0 || bytes > flight.bytes) throw new Violation('more was received than was sent')
    this.#forget(flight, bytes)
    this.#delivered += bytes
    const round = this.#round
    if (round?.flight === flight) {
      round.left -= bytes
      if (round.left <= 0) this.#measure(round)
    }
    this.#wake()
  }

  /** The connection is no more: what was on its way there is not. */
  drop(flight: Flight): void {
    if (this.#round?.flight === flight) this.#round = null
    if (flight.bytes > 0) this.#forget(flight, flight.bytes)
    this.#wake()
  }

  #forget(flight: Flight, bytes: number): void {
    flight.bytes -= bytes
    this.#inFlight -= bytes
    if (flight.bytes === 0) this.#busy -= 1
  }

  #wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  #measure(round: { delivered: number; at: number }): void {
    const now = performance.now()
    const tookMs = Math.max(now - round.at, 0.05)
    const rate = (this.#delivered - round.delivered) / tookMs
    const limited = this.#limited
    this.#round = null
    this.#limited = false
    if (now - this.#periodAt > periodMs) {
      this.#periodAt = now
      this.#lowestMs = [Number.POSITIVE_INFINITY, this.#lowestMs[0] ?? Number.POSITIVE_INFINITY]
    }
    this.#lowestMs[0] = Math.min(this.#lowestMs[0] ?? tookMs, tookMs)
    // A round whose source had little to say tells only that the network is at least so fast.
    if (!limited && rate < this.#bestRate) return
    this.#note(rate, Math.floor(now / 1000))
    if (this.#starting && limited) this.#watchStart(rate)
    this.#reckon(now)
  }

  get #bestRate(): number {
    return this.#rates.reduce((best, { rate }) => Math.max(best, rate), 0)
  }

  #note(rate: number, second: number): void {
    const [newest] = this.#rates
    if (newest?.second === second) {
      newest.rate = Math.max(newest.rate, rate)
      return
    }
    this.#rates.unshift({ second, rate })
    if (this.#rates.length > secondsKept) this.#rates.pop()
  }

  #watchStart(rate: number): void {
    if (rate > this.#fullRate * 1.25) {
      this.#fullRate = rate
      this.#fullRounds = 0
    } else {
      this.#fullRounds += 1
      this.#starting = this.#fullRounds < fullRoundsMax
    }
  }

  #reckon(now: number): void {
    const lowestMs = Math.min(...this.#lowestMs)
    if (lowestMs < nearMs) {
      this.#bytes = bytesMax
      return
    }
    const dips = !this.#starting && now - this.#periodAt < 2 * lowestMs
    const gain = this.#starting ? 2 : dips ? 0.75 : 1.25
    this.#bytes = Math.min(bytesMax, Math.max(bytesMin, gain * this.#bestRate * (lowestMs + ownDelayMs)))
  }
}

/** Before anything is known: about what ten fresh TCP connections send at first. */
const bytesFirst = 128 * 1024
/** A floor for slow networks, so that an answer of some pages never waits for the control loop. */
const bytesMin = 64 * 1024
/** 2.5 Gbit/s at 50 ms; what a link may pin in the system's buffers. */
const bytesMax = 16 * 1024 * 1024
/** What each connection may always have on its way: about the window that TCP has under 0.5 % loss at 40 ms. */
const shareBytesMin = 32 * 1024
/** Two busy processes answer this late without any network between them. */
const ownDelayMs = 6
/**
 * On nearer networks there is no budget: nobody notices their queues, and what a busy machine adds to a round trip is so much more
 * than the network's own share that it would be taken for a queue, and the budget shrink without end.
 */
const nearMs = 8
/** Of which the best rate counts: long enough to bridge moments in which one of the two machines is busy with something else. */
const secondsKept = 5
const fullRoundsMax = 3
const periodMs = 10_000
