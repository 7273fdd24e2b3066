import { conflict, forbidden, invalidRequest, notFound } from '../../contract/errors.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret, newSecret, Secret } from '../../lib/secret.ts'
import type { Caller, WorkspaceMembership } from '../access/index.ts'
import type { Changes, Database, Store, TokenRow } from '../db/index.ts'
import {
  countLiveTokens,
  findLiveToken,
  insertToken,
  liveTokensOfMember,
  markRevoked,
  tokensExpiredBetween,
} from './store.ts'

/** Keys of one workspace that work at the same time: more than any team needs, few enough to look through. */
const liveTokensMax = 200

/** How late the end of an expired key reaches its open sockets and tunnels, in milliseconds; requests are refused at once. */
const expirySweepMs = 5_000

/** API keys. */
export interface Tokens extends AsyncDisposable {
  /**
   * Makes a key for a user in a workspace; its secret exists only in what this returns. A key that was made with another one
   * (`madeWith`, an id) ends no later than that one: otherwise an expiring key could make itself last.
   */
  create(
    store: Store,
    input: {
      workspaceId: string
      userId: string
      label: string | null
      expiresAt: number | null
      madeWith: string | null
    },
  ): Promise<{ row: TokenRow; secret: Secret }>
  /** Throws `not_found` when the workspace has no such key that still stands. */
  revoke(caller: Caller, workspace: WorkspaceMembership, id: string): Promise<void>
  /** Revokes every key of a user in a workspace. Publish `{of: 'token'}` for each returned id after the commit. */
  revokeOfMember(trx: Store, workspaceId: string, userId: string): Promise<string[]>
}

export function createTokens(options: { database: Database; changes: Changes; clock: Clock; log: Log }): Tokens {
  const { database, changes, clock, log } = options
  let sweptUntil = clock.now()
  let sweeping = Promise.resolve()

  const sweep = async (): Promise<void> => {
    const now = clock.now()
    try {
      for (const id of await tokensExpiredBetween(database.kysely, sweptUntil, now))
        await changes.publish({ of: 'token', id })
      sweptUntil = now
    } catch (error) {
      log.warn({ error }, 'expired keys could not be looked up; the next look covers this time too')
    }
  }
  const timer = setInterval(() => {
    sweeping = sweeping.then(sweep)
  }, expirySweepMs).unref()

  return {
    async create(store, { workspaceId, userId, label, madeWith, ...input }) {
      const now = clock.now()
      const parent = madeWith === null ? undefined : await findLiveToken(store, workspaceId, madeWith)
      const latest = parent?.expires_at ?? null
      const expiresAt = input.expiresAt ?? latest
      if (latest !== null && expiresAt !== null && expiresAt > latest)
        throw forbidden(`A key cannot make one that outlives it: this one ends at ${isoTime(latest)}`)
      if (expiresAt !== null && expiresAt <= now)
        throw invalidRequest('body.expiresAt', 'lies in the past', 'a time in the future')
      if ((await countLiveTokens(store, workspaceId, now)) >= liveTokensMax)
        throw conflict(`The workspace has ${liveTokensMax} keys, the most it can have. Revoke one that is not used.`)
      const secret = new Secret(newSecret('phk'))
      const row: TokenRow = {
        id: newId('tok'),
        workspace_id: workspaceId,
        user_id: userId,
        label,
        secret_hash: hashSecret(secret.reveal()),
        created_at: now,
        last_used_at: null,
        expires_at: expiresAt,
        revoked_at: null,
      }
      await insertToken(store, row)
      return { row, secret }
    },
    async revoke(caller, workspace, id) {
      const token = await findLiveToken(database.kysely, workspace.id, id)
      if (!token) throw notFound(`Key ${id}`)
      if (workspace.role === 'member' && token.user_id !== caller.userId)
        throw forbidden(
          `Key ${id} was made by somebody else: only they, or an owner or admin of the workspace, revoke it`,
        )
      if (!(await markRevoked(database.kysely, id, clock.now()))) throw notFound(`Key ${id}`)
      await changes.publish({ of: 'token', id })
    },
    async revokeOfMember(trx, workspaceId, userId) {
      const ids = await liveTokensOfMember(trx, workspaceId, userId)
      for (const id of ids) await markRevoked(trx, id, clock.now())
      return ids
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await sweeping
    },
  }
}
