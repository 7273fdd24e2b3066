import { z } from 'zod'
import { AccountName, DatabaseKey, DatabasePassword, RemotePattern } from './database-names.ts'
import { ServerKey, ServerSpec, ServerState } from './node.ts'
import { DatabaseAddress, DatabaseSum } from './node-databases.ts'
import { operation, transfer } from './operation.ts'

/**
 * Panel → node: a server goes from one node to another. The panel reads its files from the source and hands them on to the target as
 * they come; both say what they have by a digest, and only when these are equal the server changes hands. Every operation names
 * its transfer, so that late words of an older one change nothing. What has not been finished is begun anew: a node that was restarted
 * knows nothing of a departure, and has thrown an arrival away.
 */

export const TransferKey = z.string().regex(/^tr_[0-9a-z]{16}$/)

/** What there is in a server's folder: every name, kind, mode, content and link target, whatever order they are listed in. */
export const TreeSum = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  entries: z.int().min(0),
  bytes: z.int().min(0),
})
export type TreeSum = z.output<typeof TreeSum>

export const Departure = z.strictObject({
  state: z.enum(['idle', 'sending', 'sent', 'failed']),
  /** Bytes of files that have been read, and that there are in all. */
  bytesDone: z.int().min(0),
  bytesTotal: z.int().min(0),
  /** Of what was sent, once it has been. */
  tree: TreeSum.nullable(),
  message: z.string().max(1000).nullable(),
})
export type Departure = z.output<typeof Departure>

export const Arrival = z.strictObject({
  /** `preparing`: what its template needs is installed. `ready`: everything is on the disk and has been read again. */
  state: z.enum(['preparing', 'waiting', 'receiving', 'checking', 'ready', 'failed']),
  tree: TreeSum.nullable(),
  message: z.string().max(1000).nullable(),
})
export type Arrival = z.output<typeof Arrival>

/** Lines of the console that go along, and how long each may be. */
export const consoleLinesMax = 1000
const consoleCharsMax = 16_384

const OfTransfer = z.object({ transfer: TransferKey, server: ServerKey })
const OfDatabase = OfTransfer.extend({ database: DatabaseKey })
const base = { family: 'internal', access: 'peer', tag: 'Node' } as const

export const nodeTransferOperations = {
  departure: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}',
    summary: 'How far the server’s files have been read',
    params: OfTransfer,
    reply: Departure,
    errors: ['not_found', 'conflict'],
  }),
  departureUnchanged: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}/unchanged',
    summary: 'Whether nothing in the server’s folder has changed since its files began to be read',
    params: OfTransfer,
    reply: z.strictObject({ unchanged: z.boolean() }),
    errors: ['not_found', 'conflict'],
  }),
  prepareArrival: operation({
    ...base,
    method: 'POST',
    path: '/transfers/{transfer}/arrivals/{server}',
    summary: 'Make ready for a server that comes from another node; what came of it before is thrown away',
    params: OfTransfer,
    body: ServerSpec,
    reply: Arrival,
    errors: ['conflict'],
  }),
  arrival: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/arrivals/{server}',
    summary: 'How far it has come',
    params: OfTransfer,
    reply: Arrival,
    errors: ['not_found'],
  }),
  adoptArrival: operation({
    ...base,
    method: 'POST',
    path: '/transfers/{transfer}/arrivals/{server}/adoption',
    summary: 'Make the server, which is ready, one of this node’s, still held; repeating it changes nothing',
    params: OfTransfer,
    body: z.strictObject({
      /** The number of the first of these lines, or of the next one where there are none. */
      consoleSeq: z.int().min(0),
      console: z.array(z.string().max(consoleCharsMax)).max(consoleLinesMax),
    }),
    reply: ServerState,
    errors: ['not_found', 'conflict'],
  }),
  readyDatabases: operation({
    ...base,
    method: 'POST',
    path: '/transfers/{transfer}/arrivals/{server}/databases',
    summary: 'Install what databases need, where it is missing; nothing is started',
    params: OfTransfer,
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
  departureConnections: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}/connections',
    summary: 'How many connections of the server’s accounts there are to its databases, although it is stopped',
    params: OfTransfer,
    reply: z.strictObject({ connections: z.int().min(0) }),
    errors: ['not_found', 'conflict'],
  }),
  departingDatabase: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}/databases/{database}',
    summary: 'What a database of the server holds now, and who uses it; answered when all of it has been read',
    params: OfDatabase,
    reply: z.strictObject({ sum: DatabaseSum, connections: z.int().min(0) }),
    errors: ['not_found', 'conflict'],
  }),
  prepareDatabase: operation({
    ...base,
    method: 'POST',
    path: '/transfers/{transfer}/arrivals/{server}/databases/{database}',
    summary: 'Make an empty database and its account for an adopted server; what came of it before is thrown away',
    params: OfDatabase,
    body: z.strictObject({ user: AccountName, remote: RemotePattern, password: DatabasePassword }),
    reply: DatabaseAddress,
    errors: ['not_found', 'conflict'],
  }),
  arrivedDatabase: operation({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/arrivals/{server}/databases/{database}',
    summary: 'What of a database has arrived; answered when all of it has been read again',
    params: OfDatabase,
    reply: z.strictObject({ sum: DatabaseSum }),
    errors: ['not_found', 'conflict'],
  }),
  discardTransfer: operation({
    ...base,
    method: 'DELETE',
    path: '/transfers/{transfer}/servers/{server}',
    summary:
      'Remove what is here of the server, its databases too, if it is still held by this transfer; a missing one is success',
    params: OfTransfer,
    reply: z.strictObject({}),
    errors: ['conflict'],
  }),
}

export const nodeTransferContents = {
  departureContent: transfer({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}/content',
    summary: 'The files of a stopped server that is held for this transfer: a tar archive, compressed with zstd',
    params: OfTransfer,
    gives: 'application/octet-stream',
    errors: ['not_found', 'conflict'],
  }),
  arrivalContent: transfer({
    ...base,
    method: 'PUT',
    path: '/transfers/{transfer}/arrivals/{server}/content',
    summary: 'The same archive; answered once it is unpacked',
    params: OfTransfer,
    takes: ['application/octet-stream'],
    reply: Arrival,
    errors: ['not_found', 'conflict'],
  }),
  databaseContent: transfer({
    ...base,
    method: 'GET',
    path: '/transfers/{transfer}/departures/{server}/databases/{database}/content',
    summary: 'What makes a database again: a line of JSON for each statement, compressed with zstd',
    params: OfDatabase,
    gives: 'application/octet-stream',
    errors: ['not_found', 'conflict'],
  }),
  arrivingDatabaseContent: transfer({
    ...base,
    method: 'PUT',
    path: '/transfers/{transfer}/arrivals/{server}/databases/{database}/content',
    summary: 'The same, into the prepared database; answered once all of it is there',
    params: OfDatabase,
    takes: ['application/octet-stream'],
    reply: z.strictObject({}),
    errors: ['not_found', 'conflict'],
  }),
}
