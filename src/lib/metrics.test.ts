import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from './metrics.ts'

test('writes counters, gauges and histograms as Prometheus reads them', () => {
  const metrics = new Metrics()
  const requests = metrics.counter('requests_total', 'Requests.\nOf all kinds \\ sorts.')
  requests.add({ operation: 'server', status: '200' })
  requests.add({ operation: 'server', status: '200' }, 2)
  requests.add({ operation: 'a"b\\c\nd', status: '500' })
  metrics.read('gauge', 'nodes', 'Nodes.', () => [[{ state: 'here' }, 3]])
  metrics.read('gauge', 'memory_bytes', 'Memory.', () => 12.5)
  const times = metrics.histogram('wait_seconds', 'Waits.', [0.1, 1])
  for (const seconds of [0.05, 0.1, 0.5, 7]) times.observe(seconds)
  const text = metrics.text()
  assert.ok(text.endsWith('\n'))
  assert.deepEqual(text.trim().split('\n').slice(3), [
    '# HELP requests_total Requests.\\nOf all kinds \\\\ sorts.',
    '# TYPE requests_total counter',
    'requests_total{operation="server",status="200"} 3',
    'requests_total{operation="a\\"b\\\\c\\nd",status="500"} 1',
    '# HELP nodes Nodes.',
    '# TYPE nodes gauge',
    'nodes{state="here"} 3',
    '# HELP memory_bytes Memory.',
    '# TYPE memory_bytes gauge',
    'memory_bytes 12.5',
    '# HELP wait_seconds Waits.',
    '# TYPE wait_seconds histogram',
    'wait_seconds_bucket{le="0.1"} 2',
    'wait_seconds_bucket{le="1"} 3',
    'wait_seconds_bucket{le="+Inf"} 4',
    'wait_seconds_sum 7.65',
    'wait_seconds_count 4',
  ])
})

test('never keeps more series than it may, and says how many values it left out', () => {
  const metrics = new Metrics()
  const visitors = metrics.counter('visitors_total', 'Visitors.')
  for (let n = 0; n < 2_500; n++) visitors.add({ name: String(n) })
  visitors.add({ name: '7' })
  metrics.read('gauge', 'many', 'Many.', () => Array.from({ length: 5_000 }, (_, n) => [{ n: String(n) }, n] as const))
  const lines = metrics.text().split('\n')
  assert.equal(lines.filter((line) => line.startsWith('visitors_total{')).length, 2_000)
  assert.equal(lines.filter((line) => line.startsWith('many{')).length, 2_000)
  assert.ok(lines.includes('visitors_total{name="7"} 2'))
  assert.ok(lines.includes('pharos_metrics_dropped_total 500'))
})

test('refuses two metrics of one name, and a name that is none', () => {
  const metrics = new Metrics()
  metrics.counter('a_total', 'A.')
  assert.throws(() => metrics.counter('a_total', 'A.'), /already a metric a_total/)
  assert.throws(() => metrics.counter('A-b', 'A.'), /no name of a metric/)
})
