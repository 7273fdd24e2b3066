/**
 * What a server is doing, as a pure state machine: `command` answers what a person asked, `observe` what really happened.
 * Both return the next state and the effects to perform; nothing here touches a process.
 *
 * ```
 *            ┌────────────┐ installed       start            ready
 *  (new) ──▶ │ installing │ ─────────▶ offline ──▶ starting ──────▶ running
 *            └────────────┘               ▲  ▲        │ stop, restart  │
 *              ▲        │ install-failed  │  │        ▼                ▼
 *     reinstall│        ▼                 │  └──── stopping(then stay) / stopping(then start)
 *              └── install_failed         │             exited                │ exited
 *                                         └── exited by itself                └────▶ starting
 *
 *             idle                   exited             woken, start
 *   running ───────▶ stopping(then sleep) ───▶ sleeping ───────────▶ starting
 *                                                 │ stop, kill, wake-off
 *                                                 └────▶ offline
 * ```
 *
 * | from | what | to | effects |
 * | --- | --- | --- | --- |
 * | offline, sleeping | start, restart; restart-due, woken | starting | start |
 * | offline, sleeping | stop, kill; wake-off | offline, a pending restart forgotten | |
 * | running | idle | stopping, then sleep | ask-to-stop |
 * | stopping, then sleep | wake-off | stopping, then stay | |
 * | stopping, then sleep | exited | sleeping | |
 * | starting, running | start | the same: success | |
 * | starting, running | stop | stopping, then stay | ask-to-stop |
 * | starting, running | restart | stopping, then start | ask-to-stop |
 * | starting, running | kill | stopping, then stay | kill |
 * | stopping | start, restart | stopping, then start | |
 * | stopping | stop | stopping, then stay | |
 * | stopping | kill | stopping, then stay | kill |
 * | starting | ready | running | |
 * | starting | start-failed | offline | |
 * | starting | start-timeout | stopping, then stay | kill |
 * | stopping | stop-timeout | the same | kill |
 * | starting, running | exited | offline | consider-restart when it crashed |
 * | stopping, then stay | exited, start-failed | offline | |
 * | stopping, then start | exited, start-failed | starting | start |
 * | offline, sleeping, install_failed | reinstall | installing | install |
 * | installing | kill | the same, until the installation has ended | cancel-install |
 * | installing | installed / install-failed | offline / install_failed | |
 * | offline, sleeping, restore_failed | restore | restoring | restore |
 * | restoring | restored, restore-undone / restore-failed | offline / restore_failed | |
 * | restore_failed | reinstall | installing: its files are accepted as they are | install |
 *
 * Everything else is refused with the reason (commands) or old news that changes nothing (observations).
 */
export type Power =
  | { phase: 'installing'; since: number }
  | { phase: 'install_failed'; since: number; why: string }
  | {
      phase: 'offline'
      since: number /** When a crashed server comes back, ms since 1970. */
      restartAt: number | null
    }
  | {
      phase: 'restoring'
      since: number /** The name of the backup. */
      what: string
    }
  | { phase: 'restore_failed'; since: number; why: string }
  /** Stopped, and its ports are open: whoever comes starts it. */
  | { phase: 'sleeping'; since: number }
  | { phase: 'starting'; since: number }
  | { phase: 'running'; since: number }
  | { phase: 'stopping'; since: number; afterwards: 'stay' | 'start' | 'sleep' }

export type PowerAction = 'start' | 'stop' | 'restart' | 'kill' | 'reinstall' | { restore: string }

export type PowerEvent =
  | { type: 'installed' }
  | { type: 'install-failed'; why: string }
  | { type: 'restored' }
  | { type: 'restore-undone' }
  | { type: 'restore-failed'; why: string }
  | { type: 'ready' }
  | { type: 'start-failed' }
  | { type: 'start-timeout' }
  | { type: 'stop-timeout' }
  | { type: 'exited'; crashed: boolean }
  | { type: 'restart-planned'; at: number }
  | { type: 'restart-due' }
  /** Nobody has used it for long enough. */
  | { type: 'idle' }
  /** Somebody came. */
  | { type: 'woken' }
  /** It shall not sleep any more. */
  | { type: 'wake-off' }

export type PowerEffect =
  | 'start'
  | 'ask-to-stop'
  | 'kill'
  | 'install'
  | 'cancel-install'
  | 'restore'
  | 'consider-restart'

export interface Transition {
  next: Power
  effects: readonly PowerEffect[]
}

/** What `action` leads to. A refusal says why in words for the person who asked. */
export function command(state: Power, action: PowerAction, now: number): Transition | { refused: string } {
  if (typeof action === 'object') return restore(state, action.restore, now)
  switch (state.phase) {
    case 'installing':
      if (action === 'kill') return stay(state, 'cancel-install')
      if (action === 'stop') return stay(state)
      if (action === 'reinstall')
        return { refused: 'it is being installed already; wait until that has ended, or kill it' }
      return { refused: 'it is still being installed; start it when that has ended' }
    case 'install_failed':
      if (action === 'reinstall') return { next: { phase: 'installing', since: now }, effects: ['install'] }
      if (action === 'stop' || action === 'kill') return stay(state)
      return { refused: `its installation failed (${state.why}); reinstall it first` }
    case 'offline':
      if (action === 'reinstall') return { next: { phase: 'installing', since: now }, effects: ['install'] }
      if (action === 'stop' || action === 'kill')
        return stay(state.restartAt === null ? state : { ...state, restartAt: null })
      return start(now)
    case 'sleeping':
      if (action === 'reinstall') return { next: { phase: 'installing', since: now }, effects: ['install'] }
      return action === 'stop' || action === 'kill' ? { next: offline(now), effects: [] } : start(now)
    case 'restoring':
      return { refused: `backup ${state.what} is being restored; wait until that has ended` }
    case 'restore_failed':
      if (action === 'reinstall') return { next: { phase: 'installing', since: now }, effects: ['install'] }
      if (action === 'stop' || action === 'kill') return stay(state)
      return {
        refused: `its files are only partly restored (${state.why}); restore a backup, or reinstall it to accept them as they are`,
      }
    case 'starting':
    case 'running':
      if (action === 'reinstall') return { refused: 'it is running; stop it before reinstalling it' }
      if (action === 'start') return stay(state)
      return {
        next: { phase: 'stopping', since: now, afterwards: action === 'restart' ? 'start' : 'stay' },
        effects: [action === 'kill' ? 'kill' : 'ask-to-stop'],
      }
    case 'stopping':
      if (action === 'reinstall') return { refused: 'it is stopping; reinstall it when it is offline' }
      if (action === 'kill') return stay({ ...state, afterwards: 'stay' }, 'kill')
      return stay({ ...state, afterwards: action === 'stop' ? 'stay' : 'start' })
  }
}

/** What an event changes. News that no longer fits the state changes nothing. */
export function observe(state: Power, event: PowerEvent, now: number): Transition {
  switch (event.type) {
    case 'installed':
      return state.phase === 'installing' ? { next: offline(now), effects: [] } : stay(state)
    case 'install-failed':
      return state.phase === 'installing'
        ? { next: { phase: 'install_failed', since: now, why: event.why }, effects: [] }
        : stay(state)
    case 'restored':
    case 'restore-undone':
      return state.phase === 'restoring' ? { next: offline(now), effects: [] } : stay(state)
    case 'restore-failed':
      return state.phase === 'restoring'
        ? { next: { phase: 'restore_failed', since: now, why: event.why }, effects: [] }
        : stay(state)
    case 'ready':
      return state.phase === 'starting' ? { next: { phase: 'running', since: now }, effects: [] } : stay(state)
    case 'start-timeout':
      return state.phase === 'starting'
        ? { next: { phase: 'stopping', since: now, afterwards: 'stay' }, effects: ['kill'] }
        : stay(state)
    case 'stop-timeout':
      return state.phase === 'stopping' ? stay(state, 'kill') : stay(state)
    case 'start-failed':
      return ended(state, false, now)
    case 'exited':
      return ended(state, event.crashed, now)
    case 'restart-planned':
      return state.phase === 'offline' ? stay({ ...state, restartAt: event.at }) : stay(state)
    case 'restart-due':
      return state.phase === 'offline' && state.restartAt !== null ? start(now) : stay(state)
    case 'idle':
      return state.phase === 'running'
        ? { next: { phase: 'stopping', since: now, afterwards: 'sleep' }, effects: ['ask-to-stop'] }
        : stay(state)
    case 'woken':
      return state.phase === 'sleeping' ? start(now) : stay(state)
    case 'wake-off':
      if (state.phase === 'sleeping') return { next: offline(now), effects: [] }
      return state.phase === 'stopping' && state.afterwards === 'sleep'
        ? stay({ ...state, afterwards: 'stay' })
        : stay(state)
  }
}

function restore(state: Power, what: string, now: number): Transition | { refused: string } {
  switch (state.phase) {
    case 'offline':
    case 'sleeping':
    case 'restore_failed':
      return { next: { phase: 'restoring', since: now, what }, effects: ['restore'] }
    case 'restoring':
      return { refused: `backup ${state.what} is being restored; wait until that has ended` }
    case 'installing':
      return { refused: 'it is being installed; wait until that has ended' }
    case 'install_failed':
      return { refused: `its installation failed (${state.why}); reinstall it first` }
    case 'starting':
    case 'running':
    case 'stopping':
      return { refused: 'it is not stopped; stop it first' }
  }
}

function ended(state: Power, crashed: boolean, now: number): Transition {
  if (state.phase === 'stopping') return { start, stay: gone, sleep: asleep }[state.afterwards](now)
  if (state.phase !== 'starting' && state.phase !== 'running') return stay(state)
  return { next: offline(now), effects: crashed ? ['consider-restart'] : [] }
}

const stay = (next: Power, ...effects: PowerEffect[]): Transition => ({ next, effects })
const offline = (now: number): Power => ({ phase: 'offline', since: now, restartAt: null })
const gone = (now: number): Transition => ({ next: offline(now), effects: [] })
const asleep = (now: number): Transition => ({ next: { phase: 'sleeping', since: now }, effects: [] })
const start = (now: number): Transition => ({ next: { phase: 'starting', since: now }, effects: ['start'] })
