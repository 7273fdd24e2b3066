import { z } from 'zod'
import { displayName, Time } from '../fields.ts'
import { IgnorePatterns } from '../node-backups.ts'
import { operation } from '../operation.ts'
import { powerActions } from '../power.ts'
import { OfServer, serverOperations } from './servers.ts'

/** How long a task may wait before it acts, and how long it may wait for a status: an hour covers a warning, a slow stop, a long start. */
export const taskWaitSecondsMax = 3600

/** How long a task may wait for a backup to be ready: half a day, longer than any archive should take. */
const backupSecondsMax = 43_200

/** Tasks of one schedule: warnings at several moments, a stop, a wait, a start and something after it fit many times. */
export const tasksPerScheduleMax = 20

/** Characters of a cron pattern: five fields with long lists. */
const cronCharsMax = 100

const everyTask = {
  delaySeconds: z.int().min(0).max(taskWaitSecondsMax).default(0).meta({ description: 'Waits this long first' }),
  continueOnFailure: z.boolean().default(false).meta({ description: 'Go on with the next task if this one fails' }),
}

export const ScheduleTask = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('power'), action: z.enum(powerActions), ...everyTask }),
    z.strictObject({
      kind: z.literal('command'),
      command: serverOperations.consoleCommand.body.shape.command,
      ...everyTask,
    }),
    z.strictObject({
      kind: z.literal('backup'),
      name: displayName(100).default('Scheduled backup'),
      ignored: IgnorePatterns.default(''),
      timeoutSeconds: z
        .int()
        .min(1)
        .max(backupSecondsMax)
        .default(4 * 3600)
        .meta({ description: 'It is done when the backup is ready, and fails when that takes longer' }),
      ...everyTask,
    }),
    z.strictObject({
      kind: z.literal('wait'),
      until: z.enum(['running', 'offline']),
      timeoutSeconds: z.int().min(1).max(taskWaitSecondsMax).default(300),
      ...everyTask,
    }),
  ])
  .meta({ id: 'ScheduleTask' })
export type ScheduleTask = z.output<typeof ScheduleTask>

export const runStates = ['running', 'done', 'failed', 'skipped', 'missed', 'interrupted'] as const
export const taskStates = ['pending', 'waiting', 'running', 'done', 'failed', 'not_run', 'interrupted'] as const

export const ScheduleRun = z
  .strictObject({
    id: z.string(),
    cause: z.enum(['cron', 'manual']),
    state: z.enum(runStates).meta({
      description:
        'skipped: its condition did not hold, or the run before was still going. missed: the panel was not there. interrupted: the panel ended during it; it is not taken up again',
    }),
    dueAt: Time.meta({ description: 'When it should have begun; of several missed ones, the last' }),
    startedAt: Time.nullable(),
    endedAt: Time.nullable(),
    message: z.string().nullable().meta({ description: 'What went wrong, in words' }),
    missed: z.int().meta({ description: 'How many runs this entry stands for, where they were missed; otherwise 0' }),
    by: z.string().nullable().meta({ description: 'With whose permissions it acted: an e-mail address' }),
    tasks: z.array(
      z.strictObject({
        task: ScheduleTask,
        state: z.enum(taskStates),
        message: z.string().nullable(),
        startedAt: Time.nullable(),
        endedAt: Time.nullable(),
      }),
    ),
  })
  .meta({ id: 'ScheduleRun' })

const Cron = z
  .string()
  .trim()
  .max(cronCharsMax)
  .regex(
    /^(@(hourly|daily|weekly|monthly|yearly)|[0-9A-Za-z*?,/#-]+( +[0-9A-Za-z*?,/#-]+){4})$/,
    'must have five fields: minute hour day month weekday',
  )
  .meta({
    description: 'Five fields: minute hour day month weekday; at most once a minute. Or `@hourly`, `@daily` and so on',
    example: '30 4 * * *',
  })
const TimeZone = z
  .string()
  .max(64)
  .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/, 'must be the name of a time zone')
  .meta({ description: 'IANA name', example: 'Europe/Berlin' })
const Missed = z.enum(['skip', 'run_once']).meta({
  description:
    'What becomes of a run that the panel was not there for: skip records it as missed, run_once runs the last one late',
})
const Tasks = z.array(ScheduleTask).min(1).max(tasksPerScheduleMax)

export const Schedule = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    cron: z.string(),
    timeZone: z.string(),
    enabled: z.boolean(),
    onlyWhenRunning: z.boolean(),
    missed: Missed,
    tasks: z.array(ScheduleTask),
    nextRunAt: Time.nullable(),
    nextRuns: z.array(Time).meta({ description: 'The next five' }),
    lastRun: ScheduleRun.nullable(),
    by: z.string().nullable().meta({
      description:
        'Who saved it last, by e-mail address: it acts with the permissions that this person has at that moment',
    }),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'Schedule' })

export const NewSchedule = z
  .strictObject({
    name: displayName(80),
    cron: Cron,
    timeZone: TimeZone.default('UTC'),
    enabled: z.boolean().default(true),
    onlyWhenRunning: z.boolean().default(false),
    missed: Missed.default('skip'),
    tasks: Tasks,
  })
  .meta({ id: 'NewSchedule' })

const ScheduleChange = z
  .strictObject({
    name: displayName(80).optional(),
    cron: Cron.optional(),
    timeZone: TimeZone.optional(),
    enabled: z.boolean().optional(),
    onlyWhenRunning: z.boolean().optional(),
    missed: Missed.optional(),
    tasks: Tasks.optional(),
  })
  .meta({ id: 'ScheduleChange' })

const OfSchedule = OfServer.extend({ schedule: z.string() })
const base = { family: 'panel', tag: 'Schedules' } as const

export const scheduleOperations = {
  schedules: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/schedules',
    summary: 'What happens by itself, with the last run and the next ones',
    mcp: { tool: 'list_schedules' },
    access: { server: 'schedules.read' },
    params: OfServer,
    reply: z.array(Schedule),
    errors: [],
  }),
  createSchedule: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/schedules',
    summary: 'Create a schedule; nobody schedules what they may not do themselves',
    mcp: { tool: 'create_schedule' },
    access: { server: 'schedules.create' },
    params: OfServer,
    body: NewSchedule,
    reply: Schedule,
    errors: ['conflict'],
  }),
  schedule: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/schedules/{schedule}',
    summary: 'One of them',
    access: { server: 'schedules.read' },
    params: OfSchedule,
    reply: Schedule,
    errors: [],
  }),
  updateSchedule: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/schedules/{schedule}',
    summary: 'Change it. From then on it acts with the permissions of whoever did, who must hold what its tasks need',
    access: { server: 'schedules.update' },
    params: OfSchedule,
    body: ScheduleChange,
    reply: Schedule,
    errors: [],
  }),
  deleteSchedule: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/schedules/{schedule}',
    summary: 'Delete it and its results; a run under way ends before its next task',
    mcp: { tool: 'delete_schedule' },
    access: { server: 'schedules.delete' },
    params: OfSchedule,
    reply: z.strictObject({ message: z.string() }),
    errors: [],
  }),
  runSchedule: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/schedules/{schedule}/run',
    summary: 'Run it now, whether or not it is enabled; it acts with the permissions of whoever saved it last',
    mcp: { tool: 'run_schedule', destroys: true },
    access: { server: 'schedules.run' },
    params: OfSchedule,
    reply: z.strictObject({ message: z.string(), runId: z.string() }),
    errors: ['conflict'],
  }),
  scheduleRuns: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/schedules/{schedule}/runs',
    summary: 'The results of its runs, newest first; the newest fifty are kept',
    access: { server: 'schedules.read' },
    params: OfSchedule,
    reply: z.array(ScheduleRun),
    errors: [],
  }),
}
