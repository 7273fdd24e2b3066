import type { Gate } from '../../http/index.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secret.ts'
import { Signal } from '../../lib/signals.ts'
import type { Change, Changes, Database } from '../db/index.ts'
import type { Rates } from '../rates/index.ts'
import type { Caller, PanelContexts, ServerAccess } from './caller.ts'
import { createGate, type Denial } from './gate.ts'
import { LastUsed, type Uses } from './last-used.ts'
import { callersMax, serverAccessMax, sharedAgeMaxMs } from './limits.ts'
import { accessTo } from './server-access.ts'
import { type Credential, findServerGrant, findSession, findToken, type ServerGrant } from './store.ts'
import { TaggedCache } from './tagged-cache.ts'
import type { Tickets } from './tickets.ts'

export interface Revoked {
  kind: 'token' | 'session' | 'user'
  id: string
}

/** What a key proves by itself, without a request: an agent shows one to an edge. */
export interface KeyIdentity {
  tokenId: string
  userId: string
  workspaceId: string
  slug: string
  /** The workspace may do nothing for now. */
  suspended: boolean
}

/** Who may do what. Everything it remembers is forgotten the moment a `Change` says that it is no longer so. */
export interface Access extends AsyncDisposable {
  /** Admits requests of the public API. */
  readonly gate: Gate<PanelContexts>
  /**
   * What `caller` may do on the server with the short id `serverId`, or null where it must look as if it did not exist:
   * unknown, foreign, being deleted, or of a suspended workspace. Cheap. `row` is as it was at the last `Change` of the server: publish one
   * after every write of it.
   */
  serverAccess(caller: Caller, serverId: string): ServerAccess | null | Promise<ServerAccess | null>
  /** Whether the session or key by which `caller` came has not ended, expired or been revoked. Cheap. */
  stillValid(caller: Caller): Promise<boolean>
  /** Whose key this is; null for one that is unknown, revoked or expired. */
  identifyKey(rawKey: string): Promise<KeyIdentity | null>
  /** The same by a key's id. */
  identifyKeyId(tokenId: string): Promise<KeyIdentity | null>
  /** A key or session has ended. Sockets that came by it close. */
  readonly revoked: Signal<Revoked>
  /** A known caller was refused by the gate for lack of a permission. */
  readonly denied: Signal<Denial>
  /** Writes the times at which keys and sessions were last used, which otherwise happens every few seconds. */
  flushLastUsed(): Promise<void>
}

export interface AccessOptions {
  database: Database
  changes: Changes
  clock: Clock
  log: Log
  tickets: Tickets
  rates: Pick<Rates, 'limit'>
  /** The origin of the panel's own pages, where it is configured. */
  publicOrigin: string | null
  /** Write the times of last use; the slices that own the rows do. */
  touchTokens(uses: Uses): Promise<void>
  touchSessions(uses: Uses): Promise<void>
}

export function createAccess(options: AccessOptions): Access {
  const { database, changes, clock, log } = options
  // News of another panel is lost with that panel when it dies between a commit and its announcement.
  const ageMaxMs = database.dialect === 'sqlite' ? Number.POSITIVE_INFINITY : sharedAgeMaxMs
  const credentials = new TaggedCache<Credential>({ sizeMax: callersMax, ageMaxMs, clock })
  const servers = new TaggedCache<ServerGrant>({ sizeMax: serverAccessMax, ageMaxMs, clock })
  const revoked = new Signal<Revoked>()
  const denied = new Signal<Denial>()
  const usedTokens = new LastUsed(options.touchTokens, log)
  const usedSessions = new LastUsed(options.touchSessions, log)

  const live = (credential: Credential | null): Credential | null =>
    credential && (credential.expiresAt === null || credential.expiresAt > clock.now()) ? credential : null

  /** Answers at once where it can: this is on the path of every request. */
  const credentialBy = (
    kind: Credential['kind'],
    column: 'secret_hash' | 'id',
    value: string,
  ): Credential | null | Promise<Credential | null> => {
    const key = `${kind} ${column} ${value}`
    const known = changes.complete ? live(credentials.get(key) ?? null) : null
    if (known) return known
    // A session slides: one that has run out here may have been prolonged since it was read.
    const find = kind === 'token' ? findToken : findSession
    return credentials
      .load(key, async () => {
        const value_ = await find(database.kysely, { column, value })
        return value_ && { value: value_, tags: tagsOfCredential(value_) }
      })
      .then(live)
  }

  const touch = ({ kind, id }: Credential): void =>
    (kind === 'token' ? usedTokens : usedSessions).touch(id, clock.now())

  const grantOf = (caller: Caller, serverId: string): ServerGrant | null | Promise<ServerGrant | null> => {
    const key = `${caller.userId} ${serverId}`
    return (
      (changes.complete ? servers.get(key) : undefined) ??
      servers.load(key, async () => {
        const value = await findServerGrant(database.kysely, serverId, caller.userId)
        return (
          value && {
            value,
            tags: [`server ${serverId}`, `user ${caller.userId}`, `workspace ${value.row.workspace_id}`],
          }
        )
      })
    )
  }

  const identity = (credential: Credential | null): KeyIdentity | null => {
    const workspace = credential?.memberships.find(({ id }) => id === credential.workspaceId)
    if (!credential || !workspace) return null
    const { id: workspaceId, slug, suspended } = workspace
    if (!suspended) touch(credential)
    return { tokenId: credential.id, userId: credential.userId, workspaceId, slug, suspended }
  }

  const forget = (change: Change): void => {
    const tag = tagOfChange(change)
    if (!tag) return
    credentials.drop(tag)
    servers.drop(tag)
    // A key or session is announced when it has ended: a new one changes nothing for anybody.
    if (change.of === 'token' || change.of === 'session') revoked.emit({ kind: change.of, id: change.id })
  }
  const stops = [
    changes.on(forget),
    changes.gap.on(() => {
      credentials.clear()
      servers.clear()
    }),
  ]

  return {
    gate: createGate({
      rates: options.rates,
      publicOrigin: options.publicOrigin,
      credentialOfSecret: (kind, secret) => credentialBy(kind, 'secret_hash', hashSecret(secret)),
      credentialOfId: (kind, id) => credentialBy(kind, 'id', id),
      tickets: options.tickets,
      grantOf,
      touch,
      denied: (denial) => denied.emit(denial),
    }),
    revoked,
    denied,
    serverAccess(caller, serverId) {
      const decide = (grant: ServerGrant | null): ServerAccess | null =>
        grant === null || grant.suspended ? null : accessTo(caller, grant)
      const grant = grantOf(caller, serverId)
      return grant instanceof Promise ? grant.then(decide) : decide(grant)
    },
    async stillValid(caller) {
      const id = caller.via.kind === 'token' ? caller.via.tokenId : caller.via.sessionId
      const credential = await credentialBy(caller.via.kind, 'id', id)
      return credential !== null && !isSuspended(credential)
    },
    identifyKey: async (rawKey) => identity(await credentialBy('token', 'secret_hash', hashSecret(rawKey))),
    identifyKeyId: async (tokenId) => identity(await credentialBy('token', 'id', tokenId)),
    async flushLastUsed() {
      await Promise.all([usedTokens.flush(), usedSessions.flush()])
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop()
      await usedTokens[Symbol.asyncDispose]()
      await usedSessions[Symbol.asyncDispose]()
    },
  }
}

/** Whether a key's workspace is suspended. A session has no workspace of its own. */
const isSuspended = ({ workspaceId, memberships }: Credential): boolean =>
  memberships.some(({ id, suspended }) => id === workspaceId && suspended)

const tagsOfCredential = ({ kind, id, userId, memberships }: Credential): string[] => [
  `${kind} ${id}`,
  `user ${userId}`,
  ...memberships.map((membership) => `workspace ${membership.id}`),
]

function tagOfChange(change: Change): string | null {
  switch (change.of) {
    case 'member':
      return `user ${change.userId}`
    case 'subuser':
      return `server ${change.serverId}`
    case 'token':
    case 'session':
    case 'user':
    case 'workspace':
    case 'server':
      return `${change.of} ${change.id}`
    case 'edge':
    case 'node':
    case 'tunnel':
    case 'log-level':
      return null
  }
}
