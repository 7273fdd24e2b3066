import type { LogLevelRow, Store } from '../db/index.ts'

/** Those that hold at that moment. */
export const logLevelsAt = (store: Store, now: number): Promise<LogLevelRow[]> =>
  store.selectFrom('log_levels').selectAll().where('until', '>', now).orderBy('until').execute()

export const logLevelOf = (store: Store, part: string, now: number): Promise<LogLevelRow | undefined> =>
  store.selectFrom('log_levels').selectAll().where('part', '=', part).where('until', '>', now).executeTakeFirst()

export const saveLogLevel = (store: Store, row: LogLevelRow): Promise<unknown> =>
  store
    .insertInto('log_levels')
    .values(row)
    .onConflict((conflict) => conflict.column('part').doUpdateSet({ level: row.level, until: row.until }))
    .execute()

export const removeLogLevel = (store: Store, part: string): Promise<unknown> =>
  store.deleteFrom('log_levels').where('part', '=', part).execute()

export const removePastLogLevels = (store: Store, now: number): Promise<unknown> =>
  store.deleteFrom('log_levels').where('until', '<=', now).execute()

/** The nodes and edges of these ids, as people call them. */
export async function partsNamed(
  store: Store,
  ids: readonly string[],
): Promise<Map<string, { kind: 'node' | 'edge'; name: string }>> {
  if (ids.length === 0) return new Map()
  const [nodes, edges] = await Promise.all([
    store.selectFrom('nodes').select(['id', 'name']).where('id', 'in', ids).execute(),
    store.selectFrom('edges').select(['id', 'name']).where('id', 'in', ids).execute(),
  ])
  return new Map<string, { kind: 'node' | 'edge'; name: string }>([
    ...nodes.map(({ id, name }) => [id, { kind: 'node', name }] as const),
    ...edges.map(({ id, name }) => [id, { kind: 'edge', name }] as const),
  ])
}
