import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { Secret } from '../lib/secret.ts'
import { SettingsError } from '../settings/resolve.ts'
import { startObservation } from './observation.ts'

const loopback = { host: '127.0.0.1', port: 0 }
const token = 'a token of enough characters'

const get = (port: number | null, path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers })

test('without an address nothing listens', async () => {
  await using observation = await startObservation({ metricsAddress: undefined, metricsToken: undefined })
  assert.deepEqual([observation.port, observation.metrics], [null, undefined])
})

test('is alive at once, and ready when every role of it is', async () => {
  await using observation = await startObservation({ metricsAddress: loopback, metricsToken: undefined })
  const { port } = observation
  assert.equal((await get(port, '/healthz')).status, 200)
  const early = await get(port, '/readyz')
  assert.deepEqual([early.status, await early.text()], [503, 'starting\n'])
  let why: string | null = 'not linked to its panel'
  observation.ready('panel', async () => null)
  observation.ready('node', () => why)
  const late = await get(port, '/readyz')
  assert.deepEqual([late.status, await late.text()], [503, 'node: not linked to its panel\n'])
  why = null
  assert.equal((await get(port, '/readyz')).status, 200)
  observation.ready('edge', () => Promise.reject(new Error('a secret of the database')))
  const failed = await get(port, '/readyz')
  assert.deepEqual([failed.status, await failed.text()], [503, 'edge: failed\n'])
})

test('shows metrics of the process and of what counts, in the format of Prometheus', async () => {
  await using observation = await startObservation({ metricsAddress: loopback, metricsToken: undefined })
  observation.metrics?.counter('pharos_things_total', 'Things.').add({ kind: 'x' })
  const reply = await get(observation.port, '/metrics')
  assert.match(reply.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const text = await reply.text()
  assert.match(text, /^pharos_things_total\{kind="x"\} 1$/m)
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds'])
    assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'))
  for (const line of text.trim().split('\n'))
    assert.match(
      line,
      /^(# (HELP|TYPE) [a-z0-9_]+ .+|[a-z][a-z0-9_]*(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+)$/,
    )
})

test('shows metrics to nobody without the token, and health to everybody', async () => {
  await using observation = await startObservation({ metricsAddress: loopback, metricsToken: new Secret(token) })
  const { port } = observation
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: token }] as Record<string, string>[])
    assert.equal((await get(port, '/metrics', headers)).status, 401)
  assert.equal((await get(port, '/metrics', { authorization: `Bearer ${token}` })).status, 200)
  assert.equal((await get(port, '/healthz')).status, 200)
})

test('refuses an address that others reach where there is no token', async () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'metrics.example.org'])
    await assert.rejects(
      startObservation({ metricsAddress: { host, port: 0 }, metricsToken: undefined }),
      (error: Error) => error instanceof SettingsError && /PHAROS_METRICS_TOKEN/.test(error.message),
    )
  await using observation = await startObservation({
    metricsAddress: { host: '0.0.0.0', port: 0 },
    metricsToken: new Secret(token),
  })
  assert.equal((await get(observation.port, '/healthz')).status, 200)
})

test('refuses other paths and methods, and lets go of a client that says nothing when it ends', async () => {
  const observation = await startObservation({ metricsAddress: loopback, metricsToken: undefined })
  const { port } = observation
  assert.equal((await get(port, '/')).status, 404)
  assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status, 405)
  const idle = connect(port ?? 0, '127.0.0.1')
  await new Promise((resolve) => idle.once('connect', resolve))
  const closed = new Promise((resolve) => idle.once('close', resolve))
  idle.on('error', () => undefined)
  await observation[Symbol.asyncDispose]()
  await closed
  await assert.rejects(get(port, '/healthz'))
})

test('names the flag where the port is taken', async () => {
  await using observation = await startObservation({ metricsAddress: loopback, metricsToken: undefined })
  await assert.rejects(
    startObservation({ metricsAddress: { host: '127.0.0.1', port: observation.port ?? 0 }, metricsToken: undefined }),
    /already in use.*--metrics-address/,
  )
})
