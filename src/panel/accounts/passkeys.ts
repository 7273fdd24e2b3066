import type { z } from 'zod'
import type {
  CreationOptions,
  NewCredential,
  Passkey,
  ProvenCredential,
  RequestOptions,
} from '../../contract/api/account-security.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { type Database, isUniqueViolation, type PasskeyRow, type Store } from '../db/index.ts'
import type { Challenge, Challenges } from './challenges.ts'
import { challengeLifetimeMs, passkeysPerUserMax } from './limits.ts'
import {
  deletePasskey,
  findPasskeyByCredential,
  insertPasskey,
  listPasskeys,
  renamePasskey,
  touchPasskey,
} from './passkey-store.ts'

type PasskeyView = z.output<typeof Passkey>

/** Keys that browsers and phones keep for people, and with which they sign in without a password. */
export interface Passkeys {
  list(userId: string): Promise<PasskeyView[]>
  /** What the browser at `origin` needs to make one. Throws `conflict` where the account has too many. */
  creationOptions(
    user: { id: string; email: string; name: string },
    origin: URL,
  ): Promise<z.input<typeof CreationOptions>>
  /** Throws `conflict` where what the browser made is no answer to a challenge of this user and origin, or is known. */
  add(
    userId: string,
    origin: URL,
    made: { name: string; credential: z.output<typeof NewCredential> },
  ): Promise<PasskeyView>
  /** Throws `not_found`. */
  rename(userId: string, id: string, name: string): Promise<PasskeyView>
  /** Throws `not_found`, and `conflict` for the last way to sign in. */
  remove(userId: string, id: string): Promise<void>
  requestOptions(origin: URL): z.input<typeof RequestOptions>
  /** Whose passkey it claims to be, and whether that is proven. */
  prove(credential: z.output<typeof ProvenCredential>, origin: URL): Promise<{ proven: boolean; userId: string | null }>
}

/** EdDSA, ES256, RS256: what authenticators in use have. */
const algorithms = [-8, -7, -257]

/** Loaded when the first passkey is used: it is large, and most panels start without. */
const webauthn = () => import('@simplewebauthn/server')

export function createPasskeys(options: {
  database: Database
  clock: Clock
  challenges: Challenges
  log: Log
  /** Whether the account can sign in without any passkey. */
  hasOtherWay(trx: Store, userId: string): Promise<boolean>
}): Passkeys {
  const { database, clock, challenges, log, hasOtherWay } = options
  const view = (row: PasskeyRow): PasskeyView => ({
    id: row.id,
    name: row.name,
    createdAt: isoTime(row.created_at),
    lastUsedAt: row.last_used_at === null ? null : isoTime(row.last_used_at),
    synced: row.synced === 1,
  })
  const needRoom = (rows: PasskeyRow[]): void => {
    if (rows.length >= passkeysPerUserMax)
      throw conflict(`The account has ${passkeysPerUserMax} passkeys, which is the most. Delete one first.`)
  }

  return {
    async list(userId) {
      return (await listPasskeys(database.kysely, userId)).map(view)
    },
    async creationOptions({ id, email, name }, origin) {
      const rows = await listPasskeys(database.kysely, id)
      needRoom(rows)
      const { text } = challenges.issue('new-passkey', { userId: id, origin: origin.origin })
      return {
        challenge: toBase64Url(text),
        rp: { id: origin.hostname, name: 'Pharos' },
        user: { id: toBase64Url(id), name: email, displayName: name },
        pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key' as const, alg })),
        timeout: challengeLifetimeMs,
        excludeCredentials: rows.map((row) => ({ id: row.credential_id, type: 'public-key' as const })),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        attestation: 'none',
      }
    },
    async add(userId, origin, { name, credential }) {
      let asked: Challenge<'new-passkey'> | null = null
      const { verifyRegistrationResponse } = await webauthn()
      const verified = await verifyRegistrationResponse({
        // What the library reads is what the schema has let through, with its optional fields either there or undefined.
        response: credential as Parameters<typeof verifyRegistrationResponse>[0]['response'],
        expectedChallenge(text) {
          asked = challenges.read('new-passkey', fromBase64Url(text))
          return asked !== null && asked.claims.userId === userId && asked.claims.origin === origin.origin
        },
        expectedOrigin: origin.origin,
        expectedRPID: origin.hostname,
        requireUserVerification: true,
        supportedAlgorithmIDs: algorithms,
      }).catch((error: unknown) => {
        log.info({ err: error, userId }, 'a new passkey was refused')
        return null
      })
      // Assigned by the callback, which the compiler does not see.
      const challenge = asked as Challenge<'new-passkey'> | null
      if (!verified?.verified || !challenge) throw unusable()
      const { credential: made, credentialBackedUp } = verified.registrationInfo
      const row: PasskeyRow = {
        id: newId('pky'),
        user_id: userId,
        name,
        credential_id: made.id,
        public_key: Buffer.from(made.publicKey).toString('base64url'),
        counter: made.counter,
        synced: credentialBackedUp ? 1 : 0,
        created_at: clock.now(),
        last_used_at: null,
      }
      try {
        await database.transact(async (trx) => {
          needRoom(await listPasskeys(trx, userId))
          if (!(await challenges.use(trx, challenge))) throw unusable()
          if (await findPasskeyByCredential(trx, row.credential_id)) throw known()
          await insertPasskey(trx, row)
        })
      } catch (error) {
        throw isUniqueViolation(error) ? known() : error
      }
      await challenges.forgetExpired()
      return view(row)
    },
    async rename(userId, id, name) {
      const row = await renamePasskey(database.kysely, userId, id, name)
      if (!row) throw notFound(`Passkey ${id}`)
      return view(row)
    },
    async remove(userId, id) {
      await database.transact(async (trx) => {
        if (!(await deletePasskey(trx, userId, id))) throw notFound(`Passkey ${id}`)
        if ((await listPasskeys(trx, userId)).length === 0 && !(await hasOtherWay(trx, userId)))
          throw conflict('This passkey is the last way to sign in to the account. Set a password first.')
      })
    },
    requestOptions(origin) {
      const { text } = challenges.issue('passkey-sign-in', { origin: origin.origin })
      return {
        challenge: toBase64Url(text),
        rpId: origin.hostname,
        timeout: challengeLifetimeMs,
        // None named: whoever asks learns nothing about who has which.
        allowCredentials: [],
        userVerification: 'required',
      }
    },
    async prove(credential, origin) {
      const row = await findPasskeyByCredential(database.kysely, credential.id)
      if (!row) return { proven: false, userId: null }
      const userId = row.user_id
      // A discoverable passkey says whose it is: one that names somebody else was tampered with.
      const { userHandle } = credential.response
      if (userHandle && fromBase64Url(userHandle) !== userId) return { proven: false, userId }
      let asked: Challenge<'passkey-sign-in'> | null = null
      const { verifyAuthenticationResponse } = await webauthn()
      const verified = await verifyAuthenticationResponse({
        // As above.
        response: credential as Parameters<typeof verifyAuthenticationResponse>[0]['response'],
        expectedChallenge(text) {
          asked = challenges.read('passkey-sign-in', fromBase64Url(text))
          return asked !== null && asked.claims.origin === origin.origin
        },
        expectedOrigin: origin.origin,
        expectedRPID: origin.hostname,
        requireUserVerification: true,
        credential: {
          id: row.credential_id,
          publicKey: new Uint8Array(Buffer.from(row.public_key, 'base64url')),
          counter: row.counter,
        },
      }).catch((error: unknown) => {
        log.info({ err: error, userId, passkey: row.id }, 'a passkey was refused')
        return null
      })
      const challenge = asked as Challenge<'passkey-sign-in'> | null
      if (!verified?.verified || !challenge) return { proven: false, userId }
      const { newCounter, credentialBackedUp } = verified.authenticationInfo
      const proven = await database.transact(
        async (trx) =>
          (await challenges.use(trx, challenge)) &&
          (await touchPasskey(trx, row, {
            counter: newCounter,
            synced: credentialBackedUp ? 1 : 0,
            at: clock.now(),
          })),
      )
      await challenges.forgetExpired()
      return { proven, userId }
    },
  }
}

const unusable = (): Error =>
  conflict('This passkey was not made for this question, or too late. Begin again and confirm within five minutes.')
const known = (): Error => conflict('This passkey is known already')

const toBase64Url = (text: string): string => Buffer.from(text).toString('base64url')
const fromBase64Url = (text: string): string => Buffer.from(text, 'base64url').toString()
