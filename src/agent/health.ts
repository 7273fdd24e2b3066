import { request } from 'node:http'
import { connect } from 'node:net'
import { type LocalTarget, loopbackLookup } from './forward.ts'

/** How an agent finds out whether the service of a shared tunnel is well. */
export type HealthCheck = { kind: 'tcp' } | { kind: 'http'; path: string }

export interface HealthTimes {
  /** Between the end of one check and the next one, ms. */
  everyMs: number
  /** A service that has not answered after this is not well, ms. */
  timeoutMs: number
}

/** A service that fails is left alone within about ten seconds; an idle check costs next to nothing. */
export const healthTimes: HealthTimes = { everyMs: 5_000, timeoutMs: 2_000 }

/** One failure may be a restart of the check's own connection; two in a row are the service. */
const failuresMax = 2

/** Checks a service again and again, and tells when it changes. It counts as well until it has failed. */
export class HealthChecker implements Disposable {
  readonly #target: LocalTarget
  readonly #check: HealthCheck
  readonly #times: HealthTimes
  readonly #onChange: (healthy: boolean) => void
  #healthy = true
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: {
    target: LocalTarget
    check: HealthCheck
    times?: HealthTimes | undefined
    onChange(healthy: boolean): void
  }) {
    this.#target = options.target
    this.#check = options.check
    this.#times = options.times ?? healthTimes
    this.#onChange = options.onChange
    void this.#run()
  }

  get healthy(): boolean {
    return this.#healthy
  }

  [Symbol.dispose](): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    const { timeoutMs, everyMs } = this.#times
    const well = await (this.#check.kind === 'tcp'
      ? accepts(this.#target, timeoutMs)
      : answers(this.#target, this.#check.path, timeoutMs))
    if (this.#stopped) return
    this.#failures = well ? 0 : this.#failures + 1
    const healthy = well || (this.#healthy && this.#failures < failuresMax)
    if (healthy !== this.#healthy) {
      this.#healthy = healthy
      this.#onChange(healthy)
    }
    this.#timer = setTimeout(() => void this.#run(), everyMs)
  }
}

function accepts({ host, port }: LocalTarget, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, lookup: loopbackLookup(host), timeout: timeoutMs })
    const settle = (well: boolean): void => {
      socket.destroy()
      resolve(well)
    }
    socket.once('connect', () => settle(true))
    socket.once('timeout', () => settle(false))
    socket.once('error', () => settle(false))
  })
}

/** Well is every status below 400. */
function answers({ host, port }: LocalTarget, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request({
      ...{ host, port, path, lookup: loopbackLookup(host) },
      signal: AbortSignal.timeout(timeoutMs),
      agent: false,
    })
    asking.once('response', (response) => {
      response.resume()
      const { statusCode = 500 } = response
      resolve(statusCode < 400)
      asking.destroy()
    })
    asking.on('error', () => resolve(false))
    asking.end()
  })
}
