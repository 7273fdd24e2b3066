import type { ServerRow, Store } from '../db/index.ts'

export interface Counted {
  limit: number
  current: number
}

/** How many of something a server may have and has; told by the slice that limits it. */
export interface Counting {
  count(server: ServerRow): Promise<Counted>
}

/** Where each server can be given another limit, as part of the transaction `trx`. What it has beyond that stays. */
export interface Limiting extends Counting {
  setLimit(trx: Store, server: ServerRow, most: number): Promise<unknown>
}

/** Everything that is counted per server. */
export interface CountedThings {
  readonly allocations: Counting
  readonly backups: Limiting
  readonly databases: Limiting
  readonly schedules: Limiting
}
