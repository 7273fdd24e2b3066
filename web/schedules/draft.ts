import type { z } from 'zod'
import type { NewSchedule } from '../../src/contract/api/schedules.ts'
import type { Schedule, ScheduleTask } from './queries.ts'

/** A task of a form; `key` stays with it when it moves. */
export interface DraftTask {
  key: string
  task: ScheduleTask
}

/** A schedule as somebody is writing it. */
export interface Draft extends Pick<Schedule, 'name' | 'cron' | 'timeZone' | 'enabled' | 'onlyWhenRunning' | 'missed'> {
  tasks: readonly DraftTask[]
}

/** How long a task waits for what it began, in seconds: for a backup, and for the server. */
const backupSeconds = 4 * 3600
const statusSeconds = 300

export const newDraft = (timeZone: string): Draft => ({
  name: '',
  cron: '30 4 * * *',
  timeZone,
  enabled: true,
  onlyWhenRunning: false,
  missed: 'skip',
  tasks: [],
})

export const draftOf = ({ name, cron, timeZone, enabled, onlyWhenRunning, missed, tasks }: Schedule): Draft => ({
  name,
  cron,
  timeZone,
  enabled,
  onlyWhenRunning,
  missed,
  tasks: tasks.map((task) => ({ key: randomKey(), task })),
})

export const bodyOf = (draft: Draft): z.input<typeof NewSchedule> => ({
  ...draft,
  name: draft.name.trim(),
  cron: draft.cron.trim(),
  timeZone: draft.timeZone.trim(),
  tasks: draft.tasks.map(({ task }) => task),
})

/** A new task; `backupName` is what its backups are called. */
export function newTask(kind: ScheduleTask['kind'], backupName: string): DraftTask {
  const common = { delaySeconds: 0, continueOnFailure: false }
  return { key: randomKey(), task: taskOf() }
  function taskOf(): ScheduleTask {
    switch (kind) {
      case 'power':
        return { kind, action: 'restart', ...common }
      case 'command':
        return { kind, command: '', ...common }
      case 'backup':
        return { kind, name: backupName, ignored: '', timeoutSeconds: backupSeconds, ...common }
      case 'wait':
        return { kind, until: 'offline', timeoutSeconds: statusSeconds, ...common }
    }
  }
}

/** Pages that are not reached over HTTPS have no `randomUUID`. */
const randomKey = (): string => crypto.getRandomValues(new Uint32Array(2)).join('-')
