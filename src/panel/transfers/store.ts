import type { UpdateResult } from 'kysely'
import type { TransferStage } from '../../contract/transfer-stages.ts'
import type { ServerRow, Store, TransferRow } from '../db/index.ts'

export async function insertTransfer(db: Store, row: TransferRow): Promise<void> {
  await db.insertInto('transfers').values(row).execute()
}

export async function transferById(db: Store, id: string): Promise<TransferRow | undefined> {
  return db.selectFrom('transfers').selectAll().where('id', '=', id).executeTakeFirst()
}

/** The one under way, else the last. */
export async function lastTransferOf(db: Store, serverId: string): Promise<TransferRow | undefined> {
  return db
    .selectFrom('transfers')
    .selectAll()
    .where('server_id', '=', serverId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Those that have not ended, oldest first. */
export async function openTransfers(db: Store): Promise<TransferRow[]> {
  return db
    .selectFrom('transfers')
    .selectAll()
    .where('ended_at', 'is', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/** Ended ones of which some node still has a copy that nobody wants. */
export async function leftovers(db: Store): Promise<TransferRow[]> {
  return db.selectFrom('transfers').selectAll().where('ended_at', 'is not', null).where('leftover', '=', 1).execute()
}

/** False where another panel works on it. */
export async function takeLease(db: Store, id: string, panel: string, now: number, until: number): Promise<boolean> {
  return changed(
    await db
      .updateTable('transfers')
      .set({ panel, leased_until: until })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .where(({ eb, or }) => or([eb('leased_until', '<', now), eb('panel', '=', panel)]))
      .executeTakeFirst(),
  )
}

/** On a database that no other panel has, what a killed one was working on is free at once. */
export async function releaseLeases(db: Store): Promise<void> {
  await db.updateTable('transfers').set({ leased_until: 0 }).where('ended_at', 'is', null).execute()
}

/** What a panel says of a transfer that it works on. False where it is another one's by now, or has ended. */
export async function saveProgress(
  db: Store,
  { id, panel }: { id: string; panel: string },
  change: Partial<
    Pick<TransferRow, 'stage' | 'start' | 'attempts' | 'bytes_done' | 'bytes_total' | 'message' | 'leased_until'>
  >,
): Promise<boolean> {
  return changed(
    await db
      .updateTable('transfers')
      .set(change)
      .where('id', '=', id)
      .where('panel', '=', panel)
      .where('ended_at', 'is', null)
      .executeTakeFirst(),
  )
}

/** Ends it, once. A switch that somebody cancelled before loses. */
export async function endTransfer(
  db: Store,
  { id, panel }: { id: string; panel: string },
  end: { stage: TransferStage; message: string | null; now: number },
): Promise<boolean> {
  let query = db
    .updateTable('transfers')
    .set({ stage: end.stage, message: end.message, ended_at: end.now, leftover: 1, leased_until: 0 })
    .where('id', '=', id)
    .where('panel', '=', panel)
    .where('ended_at', 'is', null)
  if (end.stage === 'done') query = query.where('cancel', '=', 0)
  return changed(await query.executeTakeFirst())
}

/** What servers that are on their way to each node need there, by node. */
export async function comingTo(db: Store): Promise<Map<string, Pick<ServerRow, 'memory' | 'disk' | 'cpu'>>> {
  const rows = await db
    .selectFrom('transfers')
    .innerJoin('servers', 'servers.id', 'transfers.server_id')
    .select(['transfers.to_node', 'servers.memory', 'servers.disk', 'servers.cpu'])
    .where('transfers.ended_at', 'is', null)
    .execute()
  const sums = new Map<string, Pick<ServerRow, 'memory' | 'disk' | 'cpu'>>()
  for (const { to_node, memory, disk, cpu } of rows) {
    const before = sums.get(to_node) ?? { memory: 0, disk: 0, cpu: 0 }
    sums.set(to_node, { memory: before.memory + memory, disk: before.disk + disk, cpu: before.cpu + cpu })
  }
  return sums
}

export async function markCancel(db: Store, id: string): Promise<boolean> {
  return changed(
    await db
      .updateTable('transfers')
      .set({ cancel: 1 })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .executeTakeFirst(),
  )
}

export async function markCleared(db: Store, id: string): Promise<void> {
  await db.updateTable('transfers').set({ leftover: 0 }).where('id', '=', id).execute()
}

/** What a node that is removed for good still had to clear away is gone with it. */
export async function forgetLeftoversOf(db: Store, nodeId: string): Promise<void> {
  await db
    .updateTable('transfers')
    .set({ leftover: 0 })
    .where('ended_at', 'is not', null)
    .where(({ eb, or, and }) =>
      or([
        and([eb('stage', '=', 'done'), eb('from_node', '=', nodeId)]),
        and([eb('stage', '!=', 'done'), eb('to_node', '=', nodeId)]),
      ]),
    )
    .execute()
}

export async function forgetEnded(db: Store, before: number): Promise<void> {
  await db.deleteFrom('transfers').where('ended_at', '<', before).where('leftover', '=', 0).execute()
}

const changed = (result: UpdateResult): boolean => result.numUpdatedRows > 0n
