import { randomBytes } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { type TicketPurpose, ticketPurposes } from '../../contract/permissions.ts'
import type { Clock } from '../../lib/clock.ts'
import { newUuid } from '../../lib/ids.ts'
import type { Database } from '../db/index.ts'
import type { Caller } from './caller.ts'

/** What a ticket says: who may do this one thing, with what, on which server. */
export interface Ticket {
  /** Different for each ticket. */
  readonly id: string
  readonly purpose: TicketPurpose
  /** The short id. */
  readonly serverId: string
  readonly userId: string
  /** By which key or session its maker came: it ends with that. */
  readonly via: { readonly kind: 'token' | 'session'; readonly id: string }
  /** What exactly: the file, the folder, the backup. */
  readonly subject: Readonly<Record<string, string>>
}

export interface Tickets {
  /** A signed ticket that ends after `lifetimeMs`. */
  issue(
    caller: Caller,
    about: { purpose: TicketPurpose; serverId: string; subject: Record<string, string>; lifetimeMs: number },
  ): Promise<string>
  /** What the ticket says; null for one that is not ours, has run out, or is for something else. */
  read(text: string, purpose: TicketPurpose): Promise<Ticket | null>
}

/** The setting that holds the key; every panel of the database signs with the same. */
const keySetting = 'ticket-key'

/** HMAC-SHA-256 needs no more, in bytes. */
const keyBytes = 32

const issuer = 'pharos'

const Claims = z.object({
  jti: z.string(),
  sub: z.string(),
  via: z.enum(['token', 'session']),
  cred: z.string(),
  server: z.string(),
  subject: z.record(z.string(), z.string()),
})

/** Opens the tickets of this installation; their key is made on first use and then stays. */
export async function openTickets({ database, clock }: { database: Database; clock: Clock }): Promise<Tickets> {
  const key = await readKey(database)
  return {
    issue(caller, { purpose, serverId, subject, lifetimeMs }) {
      const now = Math.floor(clock.now() / 1000)
      return new SignJWT({
        via: caller.via.kind,
        cred: caller.via.kind === 'token' ? caller.via.tokenId : caller.via.sessionId,
        server: serverId,
        subject,
      })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(purpose)
        .setSubject(caller.userId)
        .setJti(newUuid())
        .setIssuedAt(now)
        .setExpirationTime(now + Math.ceil(lifetimeMs / 1000))
        .sign(key)
    },
    async read(text, purpose) {
      try {
        const { payload } = await jwtVerify(text, key, {
          algorithms: ['HS256'],
          issuer,
          audience: purpose,
          typ: 'JWT',
          currentDate: new Date(clock.now()),
          requiredClaims: ['exp', 'jti', 'sub'],
        })
        // One purpose: an audience that is a list could name several.
        if (typeof payload.aud !== 'string' || !(payload.aud in ticketPurposes)) return null
        const { jti, sub, via, cred, server, subject } = Claims.parse(payload)
        return { id: jti, purpose, serverId: server, userId: sub, via: { kind: via, id: cred }, subject }
      } catch {
        // Whatever is wrong with it, it admits nobody.
        return null
      }
    },
  }
}

async function readKey({ kysely }: Database): Promise<Uint8Array> {
  const value = randomBytes(keyBytes).toString('base64url')
  await kysely
    .insertInto('settings')
    .values({ key: keySetting, value })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await kysely
    .selectFrom('settings')
    .select('value')
    .where('key', '=', keySetting)
    .executeTakeFirstOrThrow()
  return Buffer.from(row.value, 'base64url')
}
