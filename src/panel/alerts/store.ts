import type { Store } from '../db/index.ts'

/** Incidents of servers of these workspaces since then. */
export async function incidentsSince(db: Store, workspaceIds: readonly string[], since: number, most: number) {
  return db
    .selectFrom('incidents')
    .innerJoin('servers', 'servers.id', 'incidents.server_id')
    .select(['incidents.id', 'incidents.kind', 'incidents.at', 'incidents.message'])
    .select(['servers.id as serverId', 'servers.name as serverName', 'servers.workspace_id as workspaceId'])
    .where('servers.workspace_id', 'in', workspaceIds)
    .where('incidents.at', '>=', since)
    .orderBy('incidents.at')
    .orderBy('incidents.id')
    .limit(most)
    .execute()
}

/** Backups that have ended since then. */
export async function backupsSince(db: Store, workspaceIds: readonly string[], since: number, most: number) {
  return db
    .selectFrom('backups')
    .innerJoin('servers', 'servers.id', 'backups.server_id')
    .select(['backups.id', 'backups.name', 'backups.state', 'backups.message', 'backups.completed_at as at'])
    .select(['servers.id as serverId', 'servers.name as serverName', 'servers.workspace_id as workspaceId'])
    .where('servers.workspace_id', 'in', workspaceIds)
    .where('backups.completed_at', '>=', since)
    .where('backups.state', 'in', ['ready', 'failed'])
    .orderBy('backups.completed_at')
    .orderBy('backups.id')
    .limit(most)
    .execute()
}

/** Runs of schedules that have failed, or were cut off, since then. */
export async function failedRunsSince(db: Store, workspaceIds: readonly string[], since: number, most: number) {
  return db
    .selectFrom('schedule_runs')
    .innerJoin('schedules', 'schedules.id', 'schedule_runs.schedule_id')
    .innerJoin('servers', 'servers.id', 'schedules.server_id')
    .select(['schedule_runs.id', 'schedule_runs.state', 'schedule_runs.message', 'schedule_runs.ended_at as at'])
    .select(['schedules.id as scheduleId', 'schedules.name'])
    .select(['servers.id as serverId', 'servers.name as serverName', 'servers.workspace_id as workspaceId'])
    .where('servers.workspace_id', 'in', workspaceIds)
    .where('schedule_runs.ended_at', '>=', since)
    .where('schedule_runs.state', 'in', ['failed', 'interrupted'])
    .orderBy('schedule_runs.ended_at')
    .orderBy('schedule_runs.id')
    .limit(most)
    .execute()
}

/** The server as far as an event concerns it; undefined where the node has no such server. */
export async function serverFor(db: Store, nodeId: string, serverId: string) {
  return db
    .selectFrom('servers')
    .select(['id', 'name', 'workspace_id as workspaceId'])
    .where('id', '=', serverId)
    .where('node_id', '=', nodeId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/** Nodes that have been here, each with the workspaces of its servers. */
export async function nodesWithWorkspaces(db: Store) {
  return db
    .selectFrom('nodes')
    .innerJoin('servers', 'servers.node_id', 'nodes.id')
    .select(['nodes.id', 'nodes.name', 'nodes.last_seen_at as lastSeenAt', 'servers.workspace_id as workspaceId'])
    .distinct()
    .where('servers.deleted_at', 'is', null)
    .execute()
}

/** Servers of these workspaces, with what disk each may have. */
export async function serversOf(db: Store, workspaceIds: readonly string[]) {
  return db
    .selectFrom('servers')
    .select(['id', 'name', 'disk', 'node_id as nodeId', 'workspace_id as workspaceId'])
    .where('workspace_id', 'in', workspaceIds)
    .where('deleted_at', 'is', null)
    .execute()
}

/** Tunnels that these workspaces keep. */
export async function tunnelsOf(db: Store, workspaceIds: readonly string[]) {
  return db
    .selectFrom('tunnels')
    .select(['id', 'name', 'workspace_id as workspaceId'])
    .where('workspace_id', 'in', workspaceIds)
    .where('deleted_at', 'is', null)
    .execute()
}

/** How these things were when somebody was last told, by subject. */
export async function statesOf(db: Store, prefix: string): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom('alert_states')
    .select(['subject', 'state'])
    .where('subject', '>=', `${prefix}:`)
    .where('subject', '<', `${prefix};`)
    .execute()
  return new Map(rows.map(({ subject, state }) => [subject, state]))
}

/** True where it was otherwise before: of several panels that see a change, one does. */
export async function setState(db: Store, subject: string, state: string, now: number): Promise<boolean> {
  const result = await db
    .insertInto('alert_states')
    .values({ subject, state, since: now })
    .onConflict((conflict) =>
      conflict.column('subject').doUpdateSet({ state, since: now }).where('alert_states.state', '!=', state),
    )
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function forgetStates(db: Store, subjects: readonly string[]): Promise<void> {
  await db.deleteFrom('alert_states').where('subject', 'in', subjects).execute()
}
