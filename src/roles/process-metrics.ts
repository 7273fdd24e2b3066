import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from '../lib/metrics.ts'

/** How finely the event loop is watched, in ms: a timer of its own, fifty times a second. */
const resolutionMs = 20
const nanoseconds = 1e9

/** What the process itself uses, under the names that dashboards for Node.js know. The returned disposable ends the watching. */
export function addProcessMetrics(metrics: Metrics): Disposable {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const started = Date.now() / 1000 - process.uptime()
  metrics.read('gauge', 'process_start_time_seconds', 'When the process began, since 1970.', () => started)
  metrics.read('counter', 'process_cpu_seconds_total', 'Processor time used.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.read('gauge', 'process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss())
  metrics.read(
    'gauge',
    'nodejs_heap_size_used_bytes',
    'Memory of its JavaScript heap.',
    () => process.memoryUsage().heapUsed,
  )
  metrics.read('gauge', 'nodejs_external_memory_bytes', 'Memory of its buffers.', () => process.memoryUsage().external)
  metrics.read('gauge', 'nodejs_eventloop_lag_seconds', 'How late the event loop is, since the last look.', () => {
    const values = [0.5, 0.9, 0.99].map(
      (share) =>
        [
          { quantile: String(share) },
          Math.max(0, delay.percentile(share * 100) / nanoseconds - resolutionMs / 1000),
        ] as const,
    )
    delay.reset()
    return values
  })
  return { [Symbol.dispose]: () => void delay.disable() }
}
