import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command, observe, type Power, type PowerAction, type PowerEffect, type PowerEvent } from './power.ts'

/** Plays commands and events one after the other; returns the phases, the effects, and the last refusal. */
function story(from: Power, ...steps: (PowerAction | PowerEvent)[]) {
  const isAction = (step: PowerAction | PowerEvent): step is PowerAction =>
    typeof step === 'string' || 'restore' in step
  let state = from
  const effects: PowerEffect[] = []
  let refused: string | null = null
  steps.forEach((step, index) => {
    const result = isAction(step) ? command(state, step, index + 1) : observe(state, step, index + 1)
    if ('refused' in result) {
      refused = result.refused
      return
    }
    state = result.next
    effects.push(...result.effects)
  })
  return { state, effects, refused: refused as string | null }
}

const off: Power = { phase: 'offline', since: 0, restartAt: null }
const starting: Power = { phase: 'starting', since: 0 }
const running: Power = { phase: 'running', since: 0 }
const installing: Power = { phase: 'installing', since: 0 }
const exited: PowerEvent = { type: 'exited', crashed: false }
const crashed: PowerEvent = { type: 'exited', crashed: true }

test('starts, becomes ready, stops and stays off', () => {
  const { state, effects } = story(off, 'start', { type: 'ready' }, 'stop', exited)
  assert.deepEqual(state, { phase: 'offline', since: 4, restartAt: null })
  assert.deepEqual(effects, ['start', 'ask-to-stop'])
})

test('starting a running or starting server is success and does nothing', () => {
  assert.deepEqual(story(running, 'start'), { state: running, effects: [], refused: null })
  assert.deepEqual(story(starting, 'start'), { state: starting, effects: [], refused: null })
})

test('a start while it is stopping waits for the end, then starts', () => {
  const { state, effects } = story(running, 'stop', 'start', exited)
  assert.equal(state.phase, 'starting')
  assert.deepEqual(effects, ['ask-to-stop', 'start'])
})

test('a stop takes back the start that was waiting', () => {
  assert.equal(story(running, 'restart', 'stop', exited).state.phase, 'offline')
})

test('restart of an offline server starts it; of a running one stops it first', () => {
  assert.deepEqual(story(off, 'restart').effects, ['start'])
  assert.deepEqual(story(running, 'restart', crashed).effects, ['ask-to-stop', 'start'])
})

test('kill overtakes a hanging stop, and may be repeated', () => {
  const { state, effects } = story(running, 'stop', 'kill', 'kill', exited)
  assert.deepEqual(effects, ['ask-to-stop', 'kill', 'kill'])
  assert.equal(state.phase, 'offline')
})

test('kill takes back a restart', () => {
  assert.equal(story(running, 'restart', 'kill', exited).state.phase, 'offline')
})

test('a stop that takes too long ends in a kill', () => {
  assert.deepEqual(story(running, 'stop', { type: 'stop-timeout' }).effects, ['ask-to-stop', 'kill'])
})

test('a server that does not become ready in time is killed and stays off', () => {
  const { state, effects } = story(off, 'start', { type: 'start-timeout' }, crashed)
  assert.deepEqual(effects, ['start', 'kill'])
  assert.equal(state.phase, 'offline')
})

test('only a crash leads to a restart, and never one of a server that was asked to stop', () => {
  assert.deepEqual(story(running, crashed).effects, ['consider-restart'])
  assert.deepEqual(story(running, exited).effects, [])
  assert.deepEqual(story(running, 'stop', crashed).effects, ['ask-to-stop'])
  assert.deepEqual(story(running, 'kill', crashed).effects, ['kill'])
})

test('a planned restart happens once, and a stop or kill forgets it', () => {
  const plan: PowerEvent = { type: 'restart-planned', at: 99 }
  assert.deepEqual(story(running, crashed, plan, { type: 'restart-due' }).effects, ['consider-restart', 'start'])
  for (const action of ['stop', 'kill'] as const)
    assert.deepEqual(story(off, plan, action, { type: 'restart-due' }).effects, [])
  assert.deepEqual(story(off, plan, 'start', { type: 'restart-due' }).effects, ['start'])
})

test('refuses a start while it is being installed or after that failed, with the reason', () => {
  assert.match(story(installing, 'start').refused ?? '', /being installed/)
  assert.match(story(installing, 'restart').refused ?? '', /being installed/)
  assert.match(
    story(installing, { type: 'install-failed', why: 'no network' }, 'start').refused ?? '',
    /no network.*reinstall/,
  )
})

test('refuses a reinstall while it runs, stops or is being installed', () => {
  for (const state of [starting, running, installing, { phase: 'stopping', since: 0, afterwards: 'stay' } as const]) {
    assert.ok(story(state, 'reinstall').refused)
  }
})

test('reinstalls after a failure and can then be started', () => {
  const { state, effects } = story(
    installing,
    { type: 'install-failed', why: 'x' },
    'reinstall',
    { type: 'installed' },
    'start',
  )
  assert.deepEqual(effects, ['install', 'start'])
  assert.equal(state.phase, 'starting')
})

test('kill cancels an installation', () => {
  assert.deepEqual(story(installing, 'kill', { type: 'install-failed', why: 'cancelled' }).effects, ['cancel-install'])
})

test('late news changes nothing', () => {
  const events: PowerEvent[] = [
    exited,
    crashed,
    { type: 'ready' },
    { type: 'start-timeout' },
    { type: 'stop-timeout' },
    { type: 'installed' },
    { type: 'restart-due' },
  ]
  for (const event of events) assert.deepEqual(story(off, event), { state: off, effects: [], refused: null })
  assert.deepEqual(
    story(running, { type: 'start-timeout' }, { type: 'stop-timeout' }, { type: 'ready' }).state,
    running,
  )
})

test('refuses everything while a backup is restored, and is offline when that has ended', () => {
  for (const action of ['start', 'stop', 'restart', 'kill', 'reinstall'] as const)
    assert.match(story(off, { restore: 'Daily' }, action).refused ?? '', /backup Daily is being restored/)
  assert.match(story(off, { restore: 'Daily' }, { restore: 'Other' }).refused ?? '', /backup Daily is being restored/)
  const { state, effects } = story(off, { restore: 'Daily' }, { type: 'restored' }, 'start')
  assert.deepEqual([state.phase, effects], ['starting', ['restore', 'start']])
})

test('refuses to start on half-restored files until a restore has succeeded or somebody reinstalls', () => {
  const half: Power = { phase: 'restore_failed', since: 0, why: 'the archive is broken' }
  assert.deepEqual(story(off, { restore: 'Daily' }, { type: 'restore-failed', why: 'the archive is broken' }).state, {
    ...half,
    since: 2,
  })
  assert.match(story(half, 'start').refused ?? '', /only partly restored \(the archive is broken\)/)
  assert.match(story(half, 'restart').refused ?? '', /restore a backup, or reinstall/)
  assert.equal(story(half, 'kill').state, half)
  assert.equal(story(half, { restore: 'Daily' }, { type: 'restored' }, 'start').state.phase, 'starting')
  assert.equal(story(half, 'reinstall', { type: 'installed' }, 'start').state.phase, 'starting')
})

test('refuses to restore a backup into a server that is not stopped', () => {
  for (const state of [starting, running, story(running, 'stop').state])
    assert.match(story(state, { restore: 'Daily' }).refused ?? '', /not stopped/)
  assert.match(story(installing, { restore: 'Daily' }).refused ?? '', /being installed/)
  assert.equal(story(off, { type: 'restored' }).state, off)
})

test('an idle server stops, then sleeps; who comes starts it', () => {
  const { state, effects } = story(running, { type: 'idle' }, exited, { type: 'woken' }, { type: 'ready' })
  assert.equal(state.phase, 'running')
  assert.deepEqual(effects, ['ask-to-stop', 'start'])
  // One that did not stop in time was still asked to.
  assert.equal(story(running, { type: 'idle' }, { type: 'stop-timeout' }, crashed).state.phase, 'sleeping')
})

test('a stop, a kill and the switch end a sleep, also one that only begins; a restore and a reinstallation do, too', () => {
  const sleeping: Power = { phase: 'sleeping', since: 0 }
  for (const end of ['stop', 'kill', { type: 'wake-off' }] as const) {
    assert.equal(story(sleeping, end).state.phase, 'offline')
    assert.equal(story(running, { type: 'idle' }, end, exited).state.phase, 'offline')
  }
  assert.deepEqual(story(sleeping, { restore: 'monday' }).effects, ['restore'])
  assert.deepEqual(story(sleeping, 'reinstall').effects, ['install'])
  assert.deepEqual(story(sleeping, 'restart').effects, ['start'])
  assert.deepEqual(story(running, { type: 'idle' }, 'start', exited).effects, ['ask-to-stop', 'start'])
})

test('nobody wakes a server that does not sleep, and none sleeps that does not run', () => {
  for (const state of [off, starting, installing]) {
    assert.deepEqual(story(state, { type: 'woken' }).effects, [])
    assert.equal(story(state, { type: 'idle' }).state.phase, state.phase)
  }
  assert.deepEqual(story(running, { type: 'woken' }).effects, [])
})
