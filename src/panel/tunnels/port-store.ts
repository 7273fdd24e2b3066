import type { EdgePortRow, Store } from '../db/index.ts'

/**
 * How long a port that was given up stays away from other workspaces, in ms: as long as addresses linger in server lists, in players'
 * histories and in firewalls that trust them.
 */
export const portQuarantineMs = 30 * 86_400_000

export interface PortRun {
  port: number
  ports: number
}

export interface PortRange {
  first: number
  last: number
}

/** Who asks: the workspace, and the tunnel that may have some of them already. */
export interface PortClaimant {
  workspaceId: string
  tunnelId: string | null
}

/** Whether the claimant may have every port of the run: nobody else has one, or had one lately. */
export async function mayHave(store: Store, run: PortRun, claimant: PortClaimant, now: number): Promise<boolean> {
  const rows = await heldIn(store, { first: run.port, last: run.port + run.ports - 1 })
  return rows.every((row) =>
    row.given_up_at === null
      ? row.tunnel_id === claimant.tunnelId
      : row.workspace_id === claimant.workspaceId || quarantineOver(row.given_up_at, now),
  )
}

/** The lowest run of so many ports that nobody has or had lately; null when there is none. */
export async function freeRun(store: Store, range: PortRange, ports: number, now: number): Promise<number | null> {
  const taken = new Set(
    (await heldIn(store, range))
      .filter(({ given_up_at: at }) => at === null || !quarantineOver(at, now))
      .map(({ port }) => port),
  )
  let length = 0
  for (let port = range.first; port <= range.last; port++) {
    length = taken.has(port) ? 0 : length + 1
    if (length === ports) return port - ports + 1
  }
  return null
}

/** The port that a tunnel gave up last, to have it again; null when it never had one or somebody else has it now. */
export async function formerPort(store: Store, tunnelId: string): Promise<number | null> {
  const row = await store
    .selectFrom('edge_ports')
    .select('port')
    .where('tunnel_id', '=', tunnelId)
    .where('given_up_at', 'is not', null)
    .orderBy('given_up_at', 'desc')
    .orderBy('port')
    .executeTakeFirst()
  return row?.port ?? null
}

/** From now on the tunnel has exactly these ports; what it had besides is given up. Ask `mayHave` first, in the same transaction. */
export async function holdPorts(
  store: Store,
  holder: { workspaceId: string; tunnelId: string },
  run: PortRun,
  now: number,
): Promise<void> {
  const last = run.port + run.ports - 1
  await store
    .updateTable('edge_ports')
    .set({ given_up_at: now })
    .where('tunnel_id', '=', holder.tunnelId)
    .where('given_up_at', 'is', null)
    .where((where) => where.or([where('port', '<', run.port), where('port', '>', last)]))
    .execute()
  const row = { tunnel_id: holder.tunnelId, workspace_id: holder.workspaceId, given_up_at: null }
  await store
    .insertInto('edge_ports')
    .values(Array.from({ length: run.ports }, (_, index) => ({ port: run.port + index, ...row })))
    .onConflict((conflict) => conflict.column('port').doUpdateSet(row))
    .execute()
}

/** The tunnel has no port any more; other workspaces do not get its ports for `portQuarantineMs`. */
export const giveUpPorts = (store: Store, tunnelId: string, now: number): Promise<unknown> =>
  store
    .updateTable('edge_ports')
    .set({ given_up_at: now })
    .where('tunnel_id', '=', tunnelId)
    .where('given_up_at', 'is', null)
    .execute()

const heldIn = (store: Store, { first, last }: PortRange): Promise<EdgePortRow[]> =>
  store.selectFrom('edge_ports').selectAll().where('port', '>=', first).where('port', '<=', last).execute()

const quarantineOver = (givenUpAt: number, now: number): boolean => now - givenUpAt >= portQuarantineMs
