import type { Updateable } from 'kysely'
import type { ScheduleRow, ScheduleRunRow, Store } from '../db/index.ts'
import { schedulesPerServer } from './limits.ts'

/** With the address of its editor; null where that account is gone. */
export type Schedule = ScheduleRow & { editor_email: string | null }
export type Run = ScheduleRunRow & { editor_email: string | null }

export async function schedulesOf(db: Store, serverId: string): Promise<Schedule[]> {
  return schedules(db)
    .where('schedules.server_id', '=', serverId)
    .orderBy('schedules.created_at')
    .orderBy('schedules.id')
    .execute()
}

export async function scheduleOf(db: Store, serverId: string, id: string): Promise<Schedule | undefined> {
  return schedules(db).where('schedules.server_id', '=', serverId).where('schedules.id', '=', id).executeTakeFirst()
}

/** How many schedules a server may have, and has. */
export async function countSchedules(db: Store, serverId: string): Promise<{ limit: number; current: number }> {
  const { count } = await db
    .selectFrom('schedules')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('server_id', '=', serverId)
    .executeTakeFirstOrThrow()
  const limited = await db
    .selectFrom('schedule_limits')
    .select('most')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return { limit: limited?.most ?? schedulesPerServer, current: Number(count) }
}

/** How many a server may have from now on; what it has stays. */
export async function setScheduleLimit(db: Store, serverId: string, most: number): Promise<void> {
  await db
    .insertInto('schedule_limits')
    .values({ server_id: serverId, most })
    .onConflict((conflict) => conflict.column('server_id').doUpdateSet({ most }))
    .execute()
}

/** False where the server is gone or being deleted. */
export async function serverStands(db: Store, serverId: string): Promise<boolean> {
  const row = await db
    .selectFrom('servers')
    .select('id')
    .where('id', '=', serverId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

export async function insertSchedule(db: Store, row: ScheduleRow): Promise<void> {
  await db.insertInto('schedules').values(row).execute()
}

export async function setSchedule(db: Store, id: string, change: Updateable<ScheduleRow>): Promise<void> {
  await db.updateTable('schedules').set(change).where('id', '=', id).execute()
}

export async function removeSchedule(db: Store, serverId: string, id: string): Promise<boolean> {
  const result = await db
    .deleteFrom('schedules')
    .where('server_id', '=', serverId)
    .where('id', '=', id)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

/** Ids of schedules whose time has come, the longest due first, of servers that are not being deleted. */
export async function dueSchedules(db: Store, now: number, most: number): Promise<string[]> {
  const rows = await db
    .selectFrom('schedules')
    .innerJoin('servers', 'servers.id', 'schedules.server_id')
    .select('schedules.id')
    .where('next_run_at', '<=', now)
    .where('servers.deleted_at', 'is', null)
    .orderBy('next_run_at')
    .limit(most)
    .execute()
  return rows.map(({ id }) => id)
}

/** Undefined where its time has not come, or another panel has taken it. */
export async function dueSchedule(db: Store, id: string, now: number): Promise<Schedule | undefined> {
  return schedules(db).where('schedules.id', '=', id).where('next_run_at', '<=', now).executeTakeFirst()
}

/** False where this moment of the schedule has its run already, whoever made it. */
export async function insertRun(db: Store, row: ScheduleRunRow): Promise<boolean> {
  const result = await db
    .insertInto('schedule_runs')
    .values(row)
    .onConflict((conflict) => conflict.columns(['schedule_id', 'due_at', 'cause']).doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function isUnderWay(db: Store, scheduleId: string): Promise<boolean> {
  const row = await db
    .selectFrom('schedule_runs')
    .select('id')
    .where('schedule_id', '=', scheduleId)
    .where('state', '=', 'running')
    .executeTakeFirst()
  return row !== undefined
}

/** When the last run by hand was due; 0 where there was none. */
export async function lastManualRun(db: Store, scheduleId: string): Promise<number> {
  const row = await db
    .selectFrom('schedule_runs')
    .select('due_at')
    .where('schedule_id', '=', scheduleId)
    .where('cause', '=', 'manual')
    .orderBy('due_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.due_at ?? 0
}

/** Removes all but the newest `kept` results of a schedule. */
export async function forgetRuns(db: Store, scheduleId: string, kept: number): Promise<void> {
  const oldest = await db
    .selectFrom('schedule_runs')
    .select('due_at')
    .where('schedule_id', '=', scheduleId)
    .orderBy('due_at', 'desc')
    .offset(kept - 1)
    .limit(1)
    .executeTakeFirst()
  if (!oldest) return
  await db
    .deleteFrom('schedule_runs')
    .where('schedule_id', '=', scheduleId)
    .where('due_at', '<', oldest.due_at)
    .where('state', '!=', 'running')
    .execute()
}

/** Newest first. */
export async function runsOf(db: Store, scheduleId: string, most: number): Promise<Run[]> {
  return runs(db)
    .where('schedule_runs.schedule_id', '=', scheduleId)
    .orderBy('schedule_runs.due_at', 'desc')
    .orderBy('schedule_runs.id')
    .limit(most)
    .execute()
}

/** False where the run is no longer this panel's: it was deleted, or counts as interrupted. */
export async function setRun(
  db: Store,
  run: { id: string; panel: string },
  change: Updateable<ScheduleRunRow>,
): Promise<boolean> {
  const result = await db
    .updateTable('schedule_runs')
    .set(change)
    .where('id', '=', run.id)
    .where('panel', '=', run.panel)
    .where('state', '=', 'running')
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

/** Says that `panel` still works on its runs. */
export async function sayAlive(db: Store, panel: string, ids: readonly string[], now: number): Promise<void> {
  await db
    .updateTable('schedule_runs')
    .set({ seen_at: now })
    .where('panel', '=', panel)
    .where('id', 'in', ids)
    .where('state', '=', 'running')
    .execute()
}

/** Runs that no panel has spoken of since `before`. */
export async function silentRuns(db: Store, before: number, most: number): Promise<ScheduleRunRow[]> {
  return db
    .selectFrom('schedule_runs')
    .selectAll()
    .where('state', '=', 'running')
    .where('seen_at', '<', before)
    .limit(most)
    .execute()
}

/** False where somebody has spoken of it since, or another panel was first. */
export async function endSilentRun(
  db: Store,
  run: Pick<ScheduleRunRow, 'id' | 'seen_at'>,
  change: Updateable<ScheduleRunRow>,
): Promise<boolean> {
  const result = await db
    .updateTable('schedule_runs')
    .set(change)
    .where('id', '=', run.id)
    .where('state', '=', 'running')
    .where('seen_at', '=', run.seen_at)
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

const schedules = (db: Store) =>
  db
    .selectFrom('schedules')
    .leftJoin('users', 'users.id', 'schedules.editor_id')
    .selectAll('schedules')
    .select('users.email as editor_email')

const runs = (db: Store) =>
  db
    .selectFrom('schedule_runs')
    .leftJoin('users', 'users.id', 'schedule_runs.editor_id')
    .selectAll('schedule_runs')
    .select('users.email as editor_email')
