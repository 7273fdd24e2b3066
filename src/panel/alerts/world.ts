import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Database } from '../db/index.ts'
import type { Nodes } from '../nodes/index.ts'
import type { Plans } from '../plans/index.ts'
import type { Servers } from '../servers/index.ts'
import type { Watching } from '../watching/index.ts'
import type { Webhooks } from '../webhooks/index.ts'

/** What alerts need of the panel. */
export interface AlertsWorld {
  db: Database
  clock: Clock
  log: Log
  nodes: Pick<Nodes, 'observe' | 'online'>
  states: Pick<Servers['world']['states'], 'of'>
  watching: Pick<Watching, 'happened'>
  webhooks: Pick<Webhooks, 'wantedBy' | 'enqueue' | 'emit'>
  plans: Pick<Plans, 'monthOf'>
  /** Ids of the tunnels that are open on some edge at this moment. */
  openTunnels(): ReadonlySet<string>
}
