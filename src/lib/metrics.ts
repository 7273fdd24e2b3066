/** Series of one metric; what comes beyond is counted in `pharos_metrics_dropped_total`: labels are ours, but a mistake must not fill the memory. */
const seriesMax = 2_000

export type Labels = Readonly<Record<string, string>>
/** A value now, or one for each set of labels. */
export type Reading = number | Iterable<readonly [labels: Labels, value: number]>

interface Metric {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  lines(): Iterable<string>
}

/**
 * What a process counts and measures, written as Prometheus reads it (text format 0.0.4). Counting is an addition to a number
 * in a map; everything else happens when somebody asks.
 */
export class Metrics {
  readonly #metrics = new Map<string, Metric>()
  #dropped = 0

  constructor() {
    this.read(
      'counter',
      'pharos_metrics_dropped_total',
      'Values of series beyond the most that a metric may have.',
      () => this.#dropped,
    )
  }

  /** Something that only grows. */
  counter(name: string, help: string): { add(labels?: Labels, by?: number): void } {
    const values = new Map<string, number>()
    this.#register({
      ...{ name, help, type: 'counter' },
      *lines() {
        for (const [labels, value] of values) yield `${name}${labels} ${value}`
      },
    })
    return {
      add: (labels = {}, by = 1) => {
        const key = written(labels)
        const known = values.get(key)
        if (known === undefined && values.size >= seriesMax) this.#dropped += 1
        else values.set(key, (known ?? 0) + by)
      },
    }
  }

  /** How long things take, in seconds. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[] = durationBuckets,
  ): { observe(seconds: number): void } {
    const counts = new Array<number>(buckets.length + 1).fill(0)
    let sum = 0
    this.#register({
      ...{ name, help, type: 'histogram' },
      *lines() {
        let below = 0
        for (const [index, most] of buckets.entries()) {
          below += counts[index] ?? 0
          yield `${name}_bucket{le="${most}"} ${below}`
        }
        const all = below + (counts[buckets.length] ?? 0)
        yield `${name}_bucket{le="+Inf"} ${all}`
        yield `${name}_sum ${sum}`
        yield `${name}_count ${all}`
      },
    })
    return {
      observe(seconds) {
        const index = buckets.findIndex((most) => seconds <= most)
        const at = index < 0 ? buckets.length : index
        counts[at] = (counts[at] ?? 0) + 1
        sum += seconds
      },
    }
  }

  /** Something that is read when somebody asks. What cannot be read is left out. */
  read(type: 'counter' | 'gauge', name: string, help: string, reading: () => Reading): void {
    this.#register({
      ...{ name, help, type },
      *lines() {
        const now = reading()
        if (typeof now === 'number') return yield `${name} ${now}`
        let series = 0
        for (const [labels, value] of now) if (series++ < seriesMax) yield `${name}${written(labels)} ${value}`
      },
    })
  }

  /** Everything, as Prometheus reads it. */
  text(): string {
    const lines: string[] = []
    for (const { name, help, type, lines: read } of this.#metrics.values()) {
      lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`)
      lines.push(...read())
    }
    return `${lines.join('\n')}\n`
  }

  #register(metric: Metric): void {
    if (!/^[a-z][a-z0-9_]*$/.test(metric.name)) throw new Error(`${metric.name} is no name of a metric`)
    if (this.#metrics.has(metric.name)) throw new Error(`There is already a metric ${metric.name}`)
    this.#metrics.set(metric.name, metric)
  }
}

/** From a reply out of memory to one that nobody waits for. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

function written(labels: Labels): string {
  const pairs = Object.entries(labels)
  return pairs.length === 0 ? '' : `{${pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
