import type { OpenTunnel } from '../contract/edge.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { Queue } from '../lib/queue.ts'
import type { ControlPlane } from './control-plane.ts'
import type { Counters } from './counters.ts'

export interface ReporterOptions {
  counters: Counters
  controlPlane: ControlPlane
  /** What is open now. */
  open(): OpenTunnel[]
  /** Called before each report, so that a new day gets its peaks. */
  notePeaks(): void
  clock: Clock
  log: Log
  reportEveryMs?: number
}

/** How often counters are reported: usage is seen within seconds. */
const reportEveryMsDefault = 2_000

/** After a change of what is open, others that come with it are waited for this long, ms. */
const openDelayMs = 100

/** Open tunnels are told again after this many reports, for their numbers of connections and for a panel that started anew. */
const openEveryReports = 15

/** Counters in one report: about 250 KB. */
const countersPerReport = 1_000

/** How long the last report may hold up the shutdown, ms. */
const lastReportMs = 3_000

/**
 * Tells the control plane what was counted until it has acknowledged it. Repeating is harmless because the numbers only grow;
 * what is refused for good is logged and not sent again until it grows.
 */
export class Reporter implements AsyncDisposable {
  readonly #options: ReporterOptions
  readonly #stop = new AbortController()
  readonly #reports = new Queue()
  readonly #rejected = new Set<string>()
  readonly #running: Promise<void>
  #openTimer: NodeJS.Timeout | undefined

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** Reports everything that has changed. Rejects when the control plane did not take it. */
  report(): Promise<void> {
    return this.#reports.run(async () => {
      const { counters, controlPlane, notePeaks, log } = this.#options
      notePeaks()
      for (;;) {
        const batch = counters.unreported(countersPerReport)
        if (batch.counters.length === 0 && batch.peaks.length === 0) return
        // What has been acknowledged must not be forgotten by a power cut.
        await counters.sync()
        const { rejected } = await controlPlane.report({
          epoch: counters.epoch,
          counters: batch.counters,
          peaks: batch.peaks,
        })
        batch.settle()
        for (const tunnelId of rejected) {
          if (this.#rejected.has(tunnelId)) continue
          this.#rejected.add(tunnelId)
          log.error(
            { tunnelId, counters: batch.counters.filter((counter) => counter.tunnelId === tunnelId) },
            'the panel refuses the counters of a tunnel; they are set aside',
          )
        }
        if (batch.counters.length < countersPerReport && batch.peaks.length < countersPerReport) return
      }
    })
  }

  /** What is open has changed: tells it soon. */
  openChanged(): void {
    if (this.#stop.signal.aborted) return
    this.#openTimer ??= setTimeout(() => {
      this.#openTimer = undefined
      void this.#reportOpen()
    }, openDelayMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    clearTimeout(this.#openTimer)
    await this.#running
    const patience = new AbortController()
    const last = this.report().catch((error: unknown) =>
      this.#options.log.warn(
        { problem: messageOf(error) },
        'the last usage report was not taken; it is repeated after the next start',
      ),
    )
    await Promise.race([last, this.#options.clock.sleep(lastReportMs, patience.signal).catch(() => undefined)])
    patience.abort()
  }

  async #run(): Promise<void> {
    const { clock, log, reportEveryMs = reportEveryMsDefault } = this.#options
    let failures = 0
    for (let round = 1; ; round++) {
      try {
        await clock.sleep(reportEveryMs, this.#stop.signal)
      } catch {
        return
      }
      try {
        await this.report()
        failures = 0
      } catch (error) {
        if (failures++ === 0)
          log.warn({ problem: messageOf(error) }, 'usage could not be reported; it is repeated until it is taken')
      }
      if (round % openEveryReports === 0) await this.#reportOpen()
    }
  }

  async #reportOpen(): Promise<void> {
    try {
      await this.#options.controlPlane.reportOpen(this.#options.open())
    } catch (error) {
      this.#options.log.debug({ problem: messageOf(error) }, 'the open tunnels could not be told')
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
