import type { Gate } from '../../http/index.ts'
import type { Signal } from '../../lib/signals.ts'
import type { Caller, PanelContexts, ServerAccess } from './caller.ts'

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
  /** Whose key this is; null for one that is unknown, revoked, expired, or of a suspended workspace. */
  identifyKey(rawKey: string): Promise<KeyIdentity | null>
  /** The same by a key's id. */
  identifyKeyId(tokenId: string): Promise<KeyIdentity | null>
  /** A key or session has ended. Sockets that came by it close. */
  readonly revoked: Signal<Revoked>
  /** Writes the times at which keys and sessions were last used, which otherwise happens every few seconds. */
  flushLastUsed(): Promise<void>
}
