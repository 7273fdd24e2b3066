import type { Client } from '../../client/index.ts'
import type { nodeTransferOperations } from '../../contract/node-transfers.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { MovableDatabases } from '../databases/index.ts'
import type { Changes, Database, ServerRow } from '../db/index.ts'
import type { LiveNode, Nodes } from '../nodes/index.ts'
import type { Servers } from '../servers/index.ts'
import type { Tunnels } from '../tunnels/index.ts'

export interface TransfersOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  nodes: Nodes
  servers: Servers
  tunnels: Pick<Tunnels, 'forAllocation' | 'dropForAllocation'>
  databases: MovableDatabases
  /** Each says why the server cannot leave its node now, in words, or null. */
  obstacles: readonly ((server: Pick<ServerRow, 'id' | 'name'>) => Promise<string | null>)[]
}

export interface TransfersWorld extends TransfersOptions {
  /** Under which this panel leases transfers. */
  panel: string
  client(node: LiveNode): Client<typeof nodeTransferOperations>
  /** The same for what is answered when a whole database has been read. */
  patientClient(node: LiveNode): Client<typeof nodeTransferOperations>
}
