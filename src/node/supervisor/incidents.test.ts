import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { incidentLinesMax } from '../../contract/node-watching.ts'
import { ask, makeSpec, openWorld, reached, running } from '../testing/world.ts'
import { Incidents } from '../watching/incidents.ts'

test('keeps each crash with how it ended and the last lines before it, also over a restart of the node', async (t) => {
  const world = await openWorld(t)
  const spec = await running(world.servers, await makeSpec({}, { restartOnCrash: false }))
  await ask(world.servers, spec.id, `echo ${'x'.repeat(2000)}`, 'echo xxx')
  await world.servers.get(spec.id).command('crash 7')
  await reached(world.servers, spec.id, 'offline')
  const [first] = await world.servers.incidentsAfter(0)
  assert.equal(first?.id, spec.id)
  assert.deepEqual(
    [first?.incident.kind, first?.incident.code, first?.incident.signal, first?.incident.outOfMemory],
    ['crash', 7, null, false],
  )
  assert.match(first?.incident.message ?? '', /crashed with code 7/)
  const lines = first?.incident.lines ?? []
  assert.ok(lines.includes('Ready to play') && lines.length <= incidentLinesMax)
  assert.ok(lines.every((line) => line.length <= 500))
  const again = await world.reopen()
  assert.deepEqual(await again.incidentsAfter(0), [first])
  assert.deepEqual(await again.incidentsAfter(first?.incident.at ?? 0), [])
})

test('an orderly stop is no incident, nor is a server that ends by itself without an error', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec())
  await servers.get(spec.id).power('stop')
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  await reached(servers, spec.id, 'running')
  await servers.get(spec.id).command('crash 0')
  await reached(servers, spec.id, 'offline')
  assert.deepEqual(await servers.incidentsAfter(0), [])
})

test('a hung server is restarted although it does not listen, and its incident says so', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec({ stopTimeoutSeconds: 1 }))
  const { since } = servers.get(spec.id).state()
  await ask(servers, spec.id, 'deaf', 'deaf now')
  assert.equal(await servers.get(spec.id).hung('It has not answered', true), true)
  const state = await reached(servers, spec.id, (now) => now.phase === 'running' && now.since > since)
  assert.equal(state.lastExit?.crashed, false)
  const [only, ...others] = await servers.incidentsAfter(0)
  assert.deepEqual([only?.incident.kind, only?.incident.restarts, others], ['hang', true, []])
})

test('refuses to restart for hanging what does not run any more', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await makeSpec()
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  assert.equal(await servers.get(spec.id).hung('It has not answered', true), false)
  assert.equal(servers.get(spec.id).state().phase, 'offline')
  assert.deepEqual(await servers.incidentsAfter(0), [])
})

test('one crash that is seen twice is kept once, the oldest make room, and a broken file is no obstacle', async (t) => {
  const { dataDir } = await openWorld(t)
  const crash = {
    ...{ kind: 'crash' as const, at: 1, message: 'It crashed', code: 1, signal: null, outOfMemory: false },
    ...{ restarts: false, lines: ['last words'] },
  }
  const incidents = new Incidents(dataDir)
  assert.ok(await incidents.add({ ...crash, run: 5 }))
  assert.equal(await new Incidents(dataDir).add({ ...crash, run: 5 }), null)
  for (let run = 6; run < 30; run++) await incidents.add({ ...crash, at: run, run })
  const kept = await new Incidents(dataDir).all()
  assert.deepEqual([kept.length, kept.at(-1)?.at], [10, 29])
  await writeFile(join(dataDir, 'incidents.json'), '[{"half":')
  assert.deepEqual(await new Incidents(dataDir).all(), [])
  assert.ok(await new Incidents(dataDir).add({ ...crash, run: 1 }))
})
