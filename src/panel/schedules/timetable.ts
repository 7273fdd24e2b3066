import { z } from 'zod'
import { ScheduleTask } from '../../contract/api/schedules.ts'
import { newId, newUuid } from '../../lib/ids.ts'
import type { ScheduleRunRow, Store } from '../db/index.ts'
import { missedWords, verdictOf } from './due.ts'
import { aliveMaxMs, dueAtOnceMax, lookEveryMs, runsKeptMax } from './limits.ts'
import { begun, concluded, interrupted, TaskResult } from './progress.ts'
import { Runner, type TakenRun } from './runner.ts'
import {
  dueSchedule,
  dueSchedules,
  endSilentRun,
  forgetRuns,
  insertRun,
  isUnderWay,
  lastManualRun,
  type Schedule,
  scheduleOf,
  setSchedule,
  silentRuns,
} from './store.ts'
import type { SchedulesWorld } from './world.ts'

/**
 * Takes the runs whose time has come. Any number of panels may look at once: a run is taken in a transaction that also moves
 * the schedule on, and the database holds one run for each moment of a schedule.
 */
export class Timetable implements AsyncDisposable {
  readonly #world: SchedulesWorld
  readonly #runner: Runner
  readonly #timer: NodeJS.Timeout
  /** This panel for as long as it lives. */
  readonly #panel = newUuid()
  #looking: Promise<void>
  #stopped = false

  constructor(world: SchedulesWorld) {
    this.#world = world
    this.#runner = new Runner(world, this.#panel)
    // No other panel uses an SQLite file: whatever runs in it died with the panel before.
    const silentBefore = world.db.dialect === 'sqlite' ? Number.MAX_SAFE_INTEGER : null
    this.#looking = this.#guarded(async () => {
      await this.#endSilent(silentBefore ?? world.clock.now() - aliveMaxMs)
      await this.#takeDue()
    })
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref()
  }

  /** Looks now; resolves when everything due has been taken. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() =>
      this.#guarded(async () => {
        await this.#runner.sayAlive()
        await this.#endSilent(this.#world.clock.now() - aliveMaxMs)
        await this.#takeDue()
      }),
    )
    return this.#looking
  }

  /** Resolves when every run that was taken here has ended. */
  idle(): Promise<void> {
    return this.#runner.idle()
  }

  /** A run by hand. Undefined where the server has no such schedule, null where a run is under way. */
  async takeNow(serverId: string, scheduleId: string): Promise<string | null | undefined> {
    const now = this.#world.clock.now()
    const taken = await this.#world.db.transact(async (trx) => {
      const row = await scheduleOf(trx, serverId, scheduleId)
      if (!row) return undefined
      if (await isUnderWay(trx, row.id)) return null
      // Two within one millisecond are two all the same.
      const dueAt = Math.max(now, (await lastManualRun(trx, row.id)) + 1)
      return this.#begin(trx, row, { cause: 'manual', dueAt, now, note: null })
    })
    if (!taken) return taken
    this.#runner.start(taken)
    return taken.id
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#looking
    await this.#runner[Symbol.asyncDispose]()
  }

  async #takeDue(): Promise<void> {
    const { db, clock, log } = this.#world
    for (;;) {
      const ids = await dueSchedules(db.kysely, clock.now(), dueAtOnceMax)
      let failed = false
      for (const id of ids) {
        if (this.#stopped) return
        try {
          const taken = await this.#take(id, clock.now())
          if (taken) this.#runner.start(taken)
        } catch (error) {
          // The others' time has come too; this one is still due at the next look.
          failed = true
          log.error({ err: error, schedule: id }, 'a due schedule could not be taken')
        }
      }
      if (failed || ids.length < dueAtOnceMax) return
    }
  }

  #take(id: string, now: number): Promise<TakenRun | null> {
    return this.#world.db.transact(async (trx) => {
      const row = await dueSchedule(trx, id, now)
      if (!row || row.next_run_at === null) return null
      const plan = planOf(row, row.next_run_at, now)
      if (!plan) {
        await setSchedule(trx, id, { next_run_at: null })
        const message = 'This panel does not understand the schedule any more. Save it again.'
        await insertRun(trx, notRun(row, [], { dueAt: row.next_run_at, state: 'failed', message, missed: 0, now }))
        return null
      }
      const { verdict, tasks } = plan
      await setSchedule(trx, id, { next_run_at: verdict.nextRunAt })
      if (verdict.missed) {
        const { dueAt, count } = verdict.missed
        await insertRun(
          trx,
          notRun(row, tasks, { dueAt, state: 'missed', message: missedWords(count), missed: count, now }),
        )
      }
      let taken: TakenRun | null = null
      if (verdict.run) {
        const { dueAt, late } = verdict.run
        if (await isUnderWay(trx, id)) {
          const message = 'The run before was still going.'
          await insertRun(trx, notRun(row, tasks, { dueAt, state: 'skipped', message, missed: 0, now }))
        } else {
          const note = late ? 'It ran late: the panel was not there when it was due.' : null
          taken = await this.#begin(trx, row, { cause: 'cron', dueAt, now, note })
        }
      }
      await forgetRuns(trx, id, runsKeptMax)
      return taken
    })
  }

  /** Null where that moment has had its run. */
  async #begin(
    trx: Store,
    row: Schedule,
    { cause, dueAt, now, note }: { cause: 'cron' | 'manual'; dueAt: number; now: number; note: string | null },
  ): Promise<TakenRun | null> {
    const tasks = tasksOf(row)
    const results = begun(tasks)
    const id = newId('run')
    const inserted = await insertRun(trx, {
      ...notRun(row, tasks, { dueAt, state: 'missed', message: note, missed: 0, now }),
      id,
      cause,
      state: 'running',
      started_at: now,
      ended_at: null,
      tasks: JSON.stringify(results),
      panel: this.#panel,
      seen_at: now,
    })
    if (!inserted) return null
    return {
      id,
      panel: this.#panel,
      scheduleId: row.id,
      scheduleName: row.name,
      serverId: row.server_id,
      editor: { userId: row.editor_id, email: row.editor_email },
      onlyWhenRunning: row.only_when_running === 1,
      note,
      results,
    }
  }

  /** Writes down the end of runs whose panel has died. */
  async #endSilent(before: number): Promise<void> {
    const { db, clock, log } = this.#world
    for (;;) {
      const silent = await silentRuns(db.kysely, before, dueAtOnceMax)
      for (const run of silent) {
        const now = clock.now()
        const { state, message, results } = interrupted(resultsOf(run), now)
        const change = { state, message, tasks: JSON.stringify(results), ended_at: now }
        if (await endSilentRun(db.kysely, run, change))
          log.warn({ schedule: run.schedule_id, run: run.id }, 'a run was interrupted by the end of its panel')
      }
      if (silent.length < dueAtOnceMax) return
    }
  }

  /** A look that fails is done again a moment later; what is due waits in the database. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#stopped) return
    try {
      await work()
    } catch (error) {
      this.#world.log.error({ err: error }, 'could not look for what is due; trying again')
    }
  }
}

const Tasks = z.array(ScheduleTask)
const Results = z.array(TaskResult)

export const tasksOf = (row: { tasks: string }): ScheduleTask[] => Tasks.parse(JSON.parse(row.tasks))
export const resultsOf = (row: { tasks: string }): TaskResult[] => Results.parse(JSON.parse(row.tasks))

/** Null where what is stored means nothing to this panel: another version wrote it, or its time zone was dissolved. */
function planOf(
  row: Schedule,
  first: number,
  now: number,
): { verdict: ReturnType<typeof verdictOf>; tasks: ScheduleTask[] } | null {
  try {
    const timing = { cron: row.cron, timeZone: row.time_zone }
    return { verdict: verdictOf(timing, row.missed, first, now), tasks: tasksOf(row) }
  } catch {
    return null
  }
}

/** The entry of a run that does nothing. */
function notRun(
  row: Schedule,
  tasks: readonly ScheduleTask[],
  entry: { dueAt: number; state: 'failed' | 'skipped' | 'missed'; message: string | null; missed: number; now: number },
): ScheduleRunRow {
  return {
    id: newId('run'),
    schedule_id: row.id,
    cause: 'cron',
    due_at: entry.dueAt,
    started_at: null,
    ended_at: entry.now,
    state: entry.state,
    message: entry.message,
    missed: entry.missed,
    editor_id: row.editor_id,
    tasks: JSON.stringify(concluded(begun(tasks)).results),
    panel: null,
    seen_at: null,
  }
}
