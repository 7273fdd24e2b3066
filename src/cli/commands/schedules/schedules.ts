import { z } from 'zod'
import { ScheduleTask } from '../../../contract/api/schedules.ts'
import { CommandError, type Connection, command, UsageError } from '../../command.ts'
import { facts, table } from '../../output.ts'
import { findServer } from '../servers/find.ts'

const ofServer = ['<server>', 'its name or id'] as const
const ofSchedule = ['<schedule>', 'its name or id'] as const
const Named = z.object({ server: z.string().min(1), schedule: z.string().min(1) })

const list = command({
  path: 'schedules list',
  summary: 'List what a server does by itself',
  args: [ofServer],
  examples: ['pharos schedules list survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const schedules = await connection.client.schedules({ params: { serverId: await findServer(connection, server) } })
    out.result(schedules, () =>
      schedules.length === 0
        ? 'No schedules yet. "pharos schedules create --help" says how to make one.'
        : table(
            ['id', 'name', 'cron', 'next', 'last'],
            schedules.map((one) => [
              one.id,
              one.name,
              `${one.cron} (${one.timeZone})`,
              one.enabled ? (one.nextRunAt ?? '-') : 'off',
              one.lastRun?.state ?? '-',
            ]),
          ),
    )
  },
})

const show = command({
  path: 'schedules show',
  summary: 'Show a schedule with its tasks and its last run',
  args: [ofServer, ofSchedule],
  examples: ['pharos schedules show survival nightly'],
  options: Named,
  async run({ server, schedule }, { connect, out }) {
    const connection = await connect()
    const found = await connection.client.schedule({ params: await find(connection, server, schedule) })
    out.result(found, () =>
      facts([
        ['id', found.id],
        ['name', found.name],
        ['cron', `${found.cron} (${found.timeZone})`],
        ['enabled', found.enabled ? 'yes' : 'no'],
        ['next', found.nextRuns.join(', ') || null],
        ...found.tasks.map((task, index): [string, string] => [`task ${index + 1}`, wordsOf(task)]),
        ['last run', found.lastRun && `${found.lastRun.state} ${found.lastRun.endedAt ?? ''}`.trim()],
        ['message', found.lastRun?.message ?? null],
      ]),
    )
  },
})

const create = command({
  path: 'schedules create',
  summary: 'Let a server do something by itself',
  description:
    'Tasks happen one after the other: start, stop, restart, kill, backup, "backup <name>", "command <line>", wait-running, wait-offline.',
  args: [ofServer, ['<name>', 'what to call it'], ['<cron>', 'minute hour day month weekday, or @daily and the like']],
  flags: [
    ['--task <task...>', 'what to do, in order'],
    ['--time-zone <name>', 'in which the times are meant, such as Europe/Berlin'],
    ['--only-when-running', 'not while the server is off'],
    ['--disabled', 'only by hand for now'],
  ],
  examples: [
    'pharos schedules create survival nightly "30 4 * * *" --task "command say Restart" restart --time-zone Europe/Berlin',
    'pharos schedules create survival backups @daily --task backup',
  ],
  options: z.object({
    server: z.string().min(1),
    name: z.string().min(1),
    cron: z.string().min(1),
    task: z.array(z.string().min(1)).min(1, 'name at least one task').default([]),
    timeZone: z.string().default('UTC'),
    onlyWhenRunning: z.boolean().default(false),
    disabled: z.boolean().default(false),
  }),
  async run({ server, name, cron, task, timeZone, onlyWhenRunning, disabled }, { connect, out }) {
    if (task.length === 0) throw new UsageError('--task: name at least one task')
    const tasks = task.map(taskOf)
    const connection = await connect()
    const made = await connection.client.createSchedule({
      params: { serverId: await findServer(connection, server) },
      body: { name, cron, timeZone, onlyWhenRunning, enabled: !disabled, tasks },
    })
    out.result(made, () => `${made.id}: ${made.nextRunAt === null ? 'it is off' : `next at ${made.nextRunAt}`}`)
  },
})

const run = command({
  path: 'schedules run',
  summary: 'Run a schedule now',
  args: [ofServer, ofSchedule],
  examples: ['pharos schedules run survival nightly'],
  options: Named,
  async run({ server, schedule }, { connect, out }) {
    const connection = await connect()
    const reply = await connection.client.runSchedule({ params: await find(connection, server, schedule) })
    out.result(reply, () => reply.message)
  },
})

const remove = command({
  path: 'schedules delete',
  summary: 'Delete a schedule and the results of its runs',
  args: [ofServer, ofSchedule],
  examples: ['pharos schedules delete survival nightly'],
  options: Named,
  async run({ server, schedule }, { connect, out }) {
    const connection = await connect()
    const params = await find(connection, server, schedule)
    const { message } = await connection.client.deleteSchedule({ params })
    out.result({ id: params.schedule, message }, () => message)
  },
})

/** `schedules list|show|create|run|delete` */
export const scheduleCommands = [list, show, create, run, remove]

async function find(
  connection: Connection,
  server: string,
  meant: string,
): Promise<{ serverId: string; schedule: string }> {
  const serverId = await findServer(connection, server)
  const schedules = await connection.client.schedules({ params: { serverId } })
  const named = schedules.filter(({ id, name }) => id === meant || name === meant)
  const [only] = named
  if (only && named.length === 1) return { serverId, schedule: only.id }
  if (only)
    throw new CommandError(
      `${named.length} schedules are called "${meant}". Use the id: ${named.map(({ id }) => id).join(', ')}`,
    )
  throw new CommandError(`No schedule is called "${meant}". "pharos schedules list ${server}" shows them.`)
}

/** What `--task` says. */
function taskOf(text: string): ScheduleTask {
  const [word = '', ...rest] = text.split(' ')
  const more = rest.join(' ')
  const until = /^wait-(running|offline)$/.exec(word)?.[1]
  const task =
    word === 'command'
      ? { kind: 'command', command: more }
      : word === 'backup'
        ? { kind: 'backup', ...(more === '' ? {} : { name: more }) }
        : until
          ? { kind: 'wait', until }
          : { kind: 'power', action: text }
  const parsed = ScheduleTask.safeParse(task)
  if (parsed.success) return parsed.data
  throw new UsageError(
    `--task: "${text}" is none. Use start, stop, restart, kill, backup, "backup <name>", "command <line>", wait-running or wait-offline`,
  )
}

function wordsOf(task: ScheduleTask): string {
  const after = task.delaySeconds > 0 ? `after ${task.delaySeconds} s ` : ''
  switch (task.kind) {
    case 'power':
      return after + task.action
    case 'command':
      return `${after}command ${task.command}`
    case 'backup':
      return `${after}backup ${task.name}`
    case 'wait':
      return `${after}wait until ${task.until}`
  }
}
