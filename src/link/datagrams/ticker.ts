import { performance } from 'node:perf_hooks'

/** Time that only goes forward, and a beat: what a path lives by, so that tests can move it. */
export interface Ticker {
  /** Milliseconds since some moment. */
  now(): number
  /** Calls `beat` every `ms` until the returned function is called. */
  every(ms: number, beat: () => void): () => void
}

export const systemTicker: Ticker = {
  now: () => performance.now(),
  every(ms, beat) {
    const timer = setInterval(beat, ms)
    return () => clearInterval(timer)
  },
}
