import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Access } from '../access/index.ts'
import type { Changes, Database } from '../db/index.ts'
import type { Nodes } from '../nodes/index.ts'
import type { Templates } from '../templates/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import type { ServerStates } from './states.ts'

/** What the actions on servers need of the panel. Each asks for the part it uses. */
export interface ServersWorld {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  access: Pick<Access, 'serverAccess'>
  nodes: Nodes
  templates: Templates
  tunnels: Tunnels
  states: ServerStates
}
