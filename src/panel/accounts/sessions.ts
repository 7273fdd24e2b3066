import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret } from '../../lib/secret.ts'
import { endedSessionCookie, sessionCookie } from '../access/index.ts'
import type { Changes, Database, SessionRow } from '../db/index.ts'
import { sessionIdleMs, sessionLifetimeMs, sessionsPerUserMax, userAgentLengthMax } from './limits.ts'
import { deleteExpiredSessions, deleteSession, insertSession, listSessions } from './store.ts'

/** Where accounts are signed in. */
export interface Sessions {
  /** Starts a session with a new secret; `cookie` is the `Set-Cookie` that carries it. */
  begin(
    userId: string,
    from: { address: string; userAgent: string | undefined },
  ): Promise<{ id: string; cookie: string }>
  list(userId: string): Promise<SessionRow[]>
  /** False when the user has no such session. */
  end(userId: string, sessionId: string): Promise<boolean>
  /** Ends every session of the user but one. */
  endOthers(userId: string, keep: string | null): Promise<void>
  /** The `Set-Cookie` that makes a browser forget its session. */
  readonly endedCookie: string
}

export function createSessions(options: {
  database: Database
  changes: Changes
  clock: Clock
  /** Whether browsers reach the panel by https. */
  secure: boolean
}): Sessions {
  const { database, changes, clock, secure } = options
  const end = async (userId: string, sessionId: string): Promise<boolean> => {
    const ended = await deleteSession(database.kysely, userId, sessionId)
    if (ended) await changes.publish({ of: 'session', id: sessionId })
    return ended
  }
  return {
    async begin(userId, { address, userAgent }) {
      const now = clock.now()
      await deleteExpiredSessions(database.kysely, now)
      const open = await listSessions(database.kysely, userId, now)
      for (const session of open.slice(sessionsPerUserMax - 1)) await end(userId, session.id)
      const secret = newSecret('phc')
      const id = newId('ses')
      await insertSession(database.kysely, {
        id,
        user_id: userId,
        secret_hash: hashSecret(secret),
        created_at: now,
        last_used_at: now,
        expires_at: now + sessionIdleMs,
        address,
        user_agent: userAgent === undefined ? null : printable(userAgent).slice(0, userAgentLengthMax),
      })
      // The browser keeps it for the whole lifetime; the panel decides when it has been idle for too long.
      return { id, cookie: sessionCookie(secret, { secure, maxAgeSeconds: sessionLifetimeMs / 1000 }) }
    },
    list: (userId) => listSessions(database.kysely, userId, clock.now()),
    end,
    async endOthers(userId, keep) {
      for (const { id } of await listSessions(database.kysely, userId, 0)) if (id !== keep) await end(userId, id)
    },
    endedCookie: endedSessionCookie({ secure }),
  }
}

/** Header values come from anywhere and end up in terminals and tables. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?')
