import type { z } from 'zod'
import type { DeviceSignIn, deviceOperations } from '../../contract/api/devices.ts'
import { AppError, invalidRequest } from '../../contract/errors.ts'
import type { Reply, RequestFacts } from '../../contract/operation.ts'
import { rolePermissions } from '../../contract/permissions.ts'
import { sourceOf } from '../../lib/address.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { printableLine } from '../../lib/printable.ts'
import { hashSecret, newSecret, Secret } from '../../lib/secret.ts'
import { addressesMax, type Caller, type WorkspaceMembership } from '../access/index.ts'
import type { Activity } from '../activity/index.ts'
import type { Database, DeviceSignInRow } from '../db/index.ts'
import type { Rates } from '../rates/index.ts'
import type { Tokens } from '../tokens/index.ts'
import {
  beginsPerAddress,
  pollIntervalMaxMs,
  pollIntervalMs,
  pollLeewayMs,
  signInLifetimeMs,
  slowDownMs,
  waitingMax,
  windowMs,
  wrongCodesMax,
} from './limits.ts'
import {
  advance,
  countWaiting,
  deleteExpired,
  emailOf,
  insertSignIn,
  membershipsOf,
  signInOfDevice,
  signInOfPerson,
  updateSignIn,
} from './store.ts'
import { newUserCode, readUserCode } from './user-code.ts'

type Polled = Reply<(typeof deviceOperations)['pollDeviceSignIn']>

/** Signing in from a terminal: a program asks, a person who is signed in approves, the program gets a key. */
export interface Devices {
  begin(asked: {
    client: string | null
    address: string
  }): Promise<{ deviceCode: Secret; userCode: string; expiresInMs: number; intervalMs: number }>
  /** The key, once; until then why not. Unknown, used and expired codes look the same. */
  poll(deviceCode: string, from: Pick<RequestFacts, 'address' | 'userAgent'>): Promise<Polled>
  /** What waits behind a code. Throws `not_found`, and `rate_limited` after too many codes that nobody has. */
  find(caller: Caller, userCode: string, address: string): Promise<z.output<typeof DeviceSignIn>>
  /** Returns the id of what was approved. The key itself is made when the program fetches it. */
  approve(
    caller: Caller,
    workspace: WorkspaceMembership,
    input: { userCode: string; expiresAt: number | null },
    address: string,
  ): Promise<string>
  deny(caller: Caller, userCode: string, address: string): Promise<string>
}

export interface DevicesOptions {
  database: Database
  clock: Clock
  rates: Pick<Rates, 'limit'>
  tokens: Pick<Tokens, 'create'>
  activity: Pick<Activity, 'record'>
  /** Where agents of the edge contract dial, for keys of this workspace; empty where there is no such place. */
  edgeFor(workspaceId: string): Promise<string>
}

export function createDevices({ database, clock, rates, tokens, activity, edgeFor }: DevicesOptions): Devices {
  const begun = rates.limit({ name: 'device sign-ins', windowMs, keysMax: addressesMax })
  const wrong = rates.limit({ name: 'device codes', windowMs, keysMax: 2 * addressesMax })

  /** Each try counts until it turns out to be right, so that tries at the same time count too. */
  const pending = async (caller: Caller, typed: string, address: string): Promise<DeviceSignInRow> => {
    const counted: string[] = []
    const giveBack = (): void => {
      for (const key of counted) wrong.giveBack(key)
    }
    for (const key of [`by ${caller.userId}`, `from ${sourceOf(address)}`]) {
      const taken = await wrong.take(key, wrongCodesMax)
      if (!taken.allowed) {
        giveBack()
        throw tooMany('codes that nobody has', taken.resetSeconds)
      }
      counted.push(key)
    }
    const found = await signInOfPerson(database.kysely, hashSecret(readUserCode(typed)), clock.now())
    if (!found) throw gone()
    giveBack()
    return found
  }

  /** The key of one that was approved, made now; null where the person may not give it any more. */
  const handOut = (row: DeviceSignInRow): Promise<Exclude<Polled, { error: unknown }> | null> =>
    database.transact(async (trx) => {
      const { user_id: userId, workspace_id: workspaceId } = row
      if (userId === null || workspaceId === null) return null
      if (!(await advance(trx, row.id, 'approved', { state: 'used' }))) return null
      const email = await emailOf(trx, userId)
      const membership = (await membershipsOf(trx, userId)).find((one) => one.workspaceId === workspaceId)
      // What was true when it was approved may not be any more.
      if (!membership || email === null || !rolePermissions[membership.role].includes('tokens.create')) return null
      const { row: key, secret } = await tokens.create(trx, {
        workspaceId,
        userId,
        label: row.client ?? labelDefault,
        expiresAt: row.key_expires_at,
        madeWith: row.made_with,
      })
      return {
        access_token: secret.reveal(),
        edge: '',
        scopes: [{ slug: membership.slug, role: membership.role }],
        user: email,
        key_id: key.id,
        expires_at: key.expires_at === null ? null : isoTime(key.expires_at),
      }
    })

  return {
    async begin({ client, address }) {
      const taken = await begun.take(sourceOf(address), beginsPerAddress)
      if (!taken.allowed) throw tooMany('sign-ins begun from your address', taken.resetSeconds)
      const now = clock.now()
      const deviceCode = new Secret(newSecret('phd'))
      const userCode = newUserCode()
      await database.transact(async (trx) => {
        await deleteExpired(trx, now)
        if ((await countWaiting(trx)) >= waitingMax) throw tooMany('sign-ins that wait', signInLifetimeMs / 1000)
        await insertSignIn(trx, {
          id: newId('dev'),
          device_hash: hashSecret(deviceCode.reveal()),
          user_hash: hashSecret(readUserCode(userCode)),
          client: client === null ? null : printableLine(client),
          address,
          created_at: now,
          expires_at: now + signInLifetimeMs,
          interval_ms: pollIntervalMs,
          polled_at: null,
          state: 'pending',
          user_id: null,
          workspace_id: null,
          made_with: null,
          key_expires_at: null,
        })
      })
      return { deviceCode, userCode, expiresInMs: signInLifetimeMs, intervalMs: pollIntervalMs }
    },
    async poll(deviceCode, from) {
      const now = clock.now()
      const row = await database.transact(async (trx) => {
        const found = await signInOfDevice(trx, hashSecret(deviceCode), now)
        if (!found || found.state === 'used') return null
        const early = found.polled_at !== null && now - found.polled_at < found.interval_ms - pollLeewayMs
        const interval = early ? Math.min(found.interval_ms + slowDownMs, pollIntervalMaxMs) : found.interval_ms
        await updateSignIn(trx, found.id, { polled_at: now, interval_ms: interval })
        return { ...found, early }
      })
      if (!row) return { error: 'expired_token' }
      if (row.early) return { error: 'slow_down' }
      if (row.state === 'pending') return { error: 'authorization_pending' }
      if (row.state === 'denied') return { error: 'access_denied' }
      const given = await handOut(row).catch((error: unknown) => {
        // The workspace has as many keys as it can have, or the key by which it was approved has ended.
        if (error instanceof AppError) return null
        throw error
      })
      if (!given || row.workspace_id === null) return { error: 'access_denied' }
      // Beside the approval, so that it is seen which key came of it, and who fetched it from where.
      activity.record({
        who: { userId: row.user_id ?? '', email: given.user, via: { kind: 'token', id: given.key_id } },
        operation: 'pollDeviceSignIn',
        permission: null,
        subject: given.key_id,
        serverId: null,
        workspaceId: row.workspace_id,
        address: from.address,
        userAgent: from.userAgent ?? null,
        code: null,
      })
      return { ...given, edge: await edgeFor(row.workspace_id) }
    },
    async find(caller, userCode, address) {
      const row = await pending(caller, userCode, address)
      return {
        client: row.client,
        address: row.address,
        sameAddress: sourceOf(row.address) === sourceOf(address),
        createdAt: isoTime(row.created_at),
        expiresAt: isoTime(row.expires_at),
      }
    },
    async approve(caller, workspace, { userCode, expiresAt }, address) {
      if (expiresAt !== null && expiresAt <= clock.now())
        throw invalidRequest('body.expiresAt', 'lies in the past', 'a time in the future')
      const { id } = await pending(caller, userCode, address)
      const approved = await advance(database.kysely, id, 'pending', {
        state: 'approved',
        user_id: caller.userId,
        workspace_id: workspace.id,
        made_with: caller.via.kind === 'token' ? caller.via.tokenId : null,
        key_expires_at: expiresAt,
      })
      if (!approved) throw gone()
      return id
    },
    async deny(caller, userCode, address) {
      const { id } = await pending(caller, userCode, address)
      if (!(await advance(database.kysely, id, 'pending', { state: 'denied', user_id: caller.userId }))) throw gone()
      return id
    },
  }
}

/** What a key is called whose program did not say what it is. */
const labelDefault = 'a terminal'

const gone = (): AppError =>
  new AppError(
    'not_found',
    'No sign-in waits for this code. It may have been used, or be older than ten minutes: run "pharos login" again.',
  )

const tooMany = (what: string, seconds: number): AppError =>
  new AppError('rate_limited', `Too many ${what}. Try again in ${Math.ceil(seconds / 60)} minutes.`, {
    retryAfterSeconds: Math.ceil(seconds),
  })
