import { z } from 'zod'
import { ScheduleTask, taskStates } from '../../contract/api/schedules.ts'
import type { ServerPermission } from '../../contract/permissions.ts'

/** One task of a run, and how it went. Times are ms since 1970. */
export const TaskResult = z.strictObject({
  task: ScheduleTask,
  state: z.enum(taskStates),
  message: z.string().nullable(),
  startedAt: z.int().nullable(),
  endedAt: z.int().nullable(),
})
export type TaskResult = z.output<typeof TaskResult>

export interface Conclusion {
  state: 'done' | 'failed' | 'interrupted'
  message: string | null
  results: TaskResult[]
}

/*
 * A task:  pending ─▶ waiting (for its delay) ─▶ running ─▶ done | failed
 *             └──────────────┬──────────────────────┘
 *                            ▼ when its run ends early
 *                 not_run | interrupted
 */

export const begun = (tasks: readonly ScheduleTask[]): TaskResult[] =>
  tasks.map((task) => ({ task, state: 'pending', message: null, startedAt: null, endedAt: null }))

export const entered = (
  results: readonly TaskResult[],
  index: number,
  state: 'waiting' | 'running',
  now: number,
): TaskResult[] =>
  results.map((result, at) =>
    at === index ? { ...result, state, startedAt: state === 'running' ? now : null } : result,
  )

/** `failure` in words, or null where it worked. */
export const ended = (
  results: readonly TaskResult[],
  index: number,
  failure: string | null,
  now: number,
): TaskResult[] =>
  results.map((result, at) =>
    at === index ? { ...result, state: failure === null ? 'done' : 'failed', message: failure, endedAt: now } : result,
  )

/** Whether what has happened so far ends the run before its next task. */
export const mustStop = (results: readonly TaskResult[]): boolean =>
  results.some(({ state, task }) => state === 'failed' && !task.continueOnFailure)

/** How a run ended whose tasks went like this. */
export function concluded(results: readonly TaskResult[]): Conclusion {
  const failed = results.findIndex(({ state }) => state === 'failed')
  return {
    state: failed < 0 ? 'done' : 'failed',
    message: failed < 0 ? null : `Task ${failed + 1} failed: ${results[failed]?.message}`,
    results: results.map((result) => (result.state === 'pending' ? { ...result, state: 'not_run' } : result)),
  }
}

/**
 * How a run ends whose panel has ended. It is not taken up again: what its task was doing may have happened, and a second
 * restart or command does more harm than a missing one.
 */
export function interrupted(results: readonly TaskResult[], now: number): Conclusion {
  const at = results.findIndex(({ state }) => state === 'pending' || state === 'waiting' || state === 'running')
  const doing = results[at]?.state === 'running'
  return {
    state: 'interrupted',
    message:
      at < 0
        ? 'The panel ended after its last task.'
        : doing
          ? `The panel ended during task ${at + 1}, which may have happened.`
          : `The panel ended before task ${at + 1}.`,
    results: results.map((result) => {
      if (result.state === 'running') return { ...result, state: 'interrupted', endedAt: now }
      return result.state === 'pending' || result.state === 'waiting' ? { ...result, state: 'not_run' } : result
    }),
  }
}

/** What doing the task by hand would need; null where seeing the server is enough. */
export function permissionOf(task: ScheduleTask): ServerPermission | null {
  switch (task.kind) {
    case 'power':
      return `control.${task.action}`
    case 'command':
      return 'console.write'
    case 'backup':
      return 'backups.create'
    case 'wait':
      return null
  }
}
