import type { z } from 'zod'
import type { NewSchedule, Schedule, ScheduleRun, scheduleOperations } from '../../contract/api/schedules.ts'
import { conflict, forbidden, invalidRequest, notFound } from '../../contract/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { Caller, ServerAccess } from '../access/index.ts'
import type { ScheduleRow } from '../db/index.ts'
import { runsAfter, type Timing, timingProblem } from './cron.ts'
import { runsKeptMax } from './limits.ts'
import { permissionOf } from './progress.ts'
import {
  countSchedules,
  insertSchedule,
  removeSchedule,
  runsOf,
  type Schedule as StoredSchedule,
  scheduleOf,
  schedulesOf,
  serverStands,
  setSchedule,
} from './store.ts'
import { Timetable, tasksOf } from './timetable.ts'
import { runView, scheduleView } from './view.ts'
import type { SchedulesWorld } from './world.ts'

type Input = z.output<typeof NewSchedule>
type Change = z.output<typeof scheduleOperations.updateSchedule.body>

/** What happens on servers by itself. Nobody schedules what they may not do themselves. */
export class Schedules implements AsyncDisposable {
  readonly #world: SchedulesWorld
  /** Runs what is due for as long as this lives. */
  readonly timetable: Timetable

  constructor(world: SchedulesWorld) {
    this.#world = world
    this.timetable = new Timetable(world)
  }

  async all({ row }: ServerAccess): Promise<z.input<typeof Schedule>[]> {
    return Promise.all((await schedulesOf(this.#world.db.kysely, row.id)).map((schedule) => this.#view(schedule)))
  }

  async one({ row }: ServerAccess, id: string): Promise<z.input<typeof Schedule>> {
    return this.#view(await this.#find(row.id, id))
  }

  async create(caller: Caller, server: ServerAccess, input: Input): Promise<z.input<typeof Schedule>> {
    const { db, clock } = this.#world
    const now = clock.now()
    mustHoldFor(server, input.tasks)
    mustCome(input, now)
    const row: ScheduleRow = {
      id: newId('sch'),
      server_id: server.row.id,
      name: input.name,
      cron: input.cron,
      time_zone: input.timeZone,
      enabled: Number(input.enabled),
      only_when_running: Number(input.onlyWhenRunning),
      missed: input.missed,
      tasks: JSON.stringify(input.tasks),
      editor_id: caller.userId,
      created_at: now,
      updated_at: now,
      next_run_at: input.enabled ? firstAfter(input, now) : null,
    }
    await db.transact(async (trx) => {
      if (!(await serverStands(trx, row.server_id))) throw notFound(`Server ${row.server_id}`)
      mustHaveRoom(server.row.name, await countSchedules(trx, row.server_id))
      await insertSchedule(trx, row)
    })
    return this.one(server, row.id)
  }

  async update(caller: Caller, server: ServerAccess, id: string, change: Change): Promise<z.input<typeof Schedule>> {
    const { db, clock } = this.#world
    const now = clock.now()
    await db.transact(async (trx) => {
      const row = await scheduleOf(trx, server.row.id, id)
      if (!row) throw notFound(`Schedule ${id}`)
      // Whoever saves it lends it their permissions, so even a new name takes all that its tasks need.
      mustHoldFor(server, change.tasks ?? tasksOf(row))
      const timing = { cron: change.cron ?? row.cron, timeZone: change.timeZone ?? row.time_zone }
      mustCome(timing, now)
      await setSchedule(trx, id, {
        name: change.name ?? row.name,
        cron: timing.cron,
        time_zone: timing.timeZone,
        enabled: Number(change.enabled ?? row.enabled === 1),
        only_when_running: Number(change.onlyWhenRunning ?? row.only_when_running === 1),
        missed: change.missed ?? row.missed,
        tasks: change.tasks ? JSON.stringify(change.tasks) : row.tasks,
        editor_id: caller.userId,
        updated_at: now,
        next_run_at: nextRunOf(row, change.enabled ?? row.enabled === 1, timing, now),
      })
    })
    return this.one(server, id)
  }

  async remove({ row }: ServerAccess, id: string): Promise<void> {
    if (!(await removeSchedule(this.#world.db.kysely, row.id, id))) throw notFound(`Schedule ${id}`)
  }

  /** Begins a run by hand; returns its id. */
  async run({ row }: ServerAccess, id: string): Promise<string> {
    const runId = await this.timetable.takeNow(row.id, id)
    if (runId === undefined) throw notFound(`Schedule ${id}`)
    if (runId === null) throw conflict('A run of this schedule is under way. Wait until it has ended.')
    return runId
  }

  async runs({ row }: ServerAccess, id: string): Promise<z.input<typeof ScheduleRun>[]> {
    await this.#find(row.id, id)
    return (await runsOf(this.#world.db.kysely, id, runsKeptMax)).map(runView)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.timetable[Symbol.asyncDispose]()
  }

  async #view(schedule: StoredSchedule): Promise<z.input<typeof Schedule>> {
    const [lastRun] = await runsOf(this.#world.db.kysely, schedule.id, 1)
    return scheduleView(schedule, lastRun)
  }

  async #find(serverId: string, id: string): Promise<StoredSchedule> {
    const row = await scheduleOf(this.#world.db.kysely, serverId, id)
    if (!row) throw notFound(`Schedule ${id}`)
    return row
  }
}

function mustHaveRoom(server: string, { limit, current }: { limit: number; current: number }): void {
  if (current < limit) return
  if (limit === 0) throw conflict(`${server} may have no schedules: ask the people who run this installation.`)
  throw conflict(
    `${server} has ${current === 1 ? 'a schedule' : `${current} schedules`}, and may have ${limit}: delete one that is not needed.`,
  )
}

function mustHoldFor({ permissions }: ServerAccess, tasks: Input['tasks']): void {
  const needed = new Set(tasks.flatMap((task) => permissionOf(task) ?? []))
  const missing = [...needed].filter((permission) => !permissions.has(permission))
  if (missing.length > 0)
    throw forbidden(`Its tasks need ${missing.join(', ')}, which you do not hold here. Ask the server's owner.`)
}

function mustCome(timing: Timing, now: number): void {
  const found = timingProblem({ cron: timing.cron, timeZone: timing.timeZone }, now)
  if (found) throw invalidRequest(`body.${found.field}`, found.problem)
}

/** A moment that has come and is not taken yet stays: a change of the schedule never loses a run. */
function nextRunOf(row: StoredSchedule, enabled: boolean, timing: Timing, now: number): number | null {
  if (!enabled) return null
  const same = timing.cron === row.cron && timing.timeZone === row.time_zone
  if (row.next_run_at !== null && (same || row.next_run_at <= now)) return row.next_run_at
  return firstAfter(timing, now)
}

const firstAfter = (timing: Timing, now: number): number | null => runsAfter(timing, now, 1)[0] ?? null
