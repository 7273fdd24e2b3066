import type { z } from 'zod'
import type { ProvenCredential } from '../../contract/api/account-security.ts'
import type { Account } from '../../contract/api/accounts.ts'
import { conflict, forbidden, invalidRequest, unauthorized } from '../../contract/errors.ts'
import type { RequestFacts } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/seal.ts'
import { hashSecret, newSecret } from '../../lib/secret.ts'
import type { Activity } from '../activity/index.ts'
import type { Changes, Database, InvitationRow, Store, UserRow } from '../db/index.ts'
import type { Rates } from '../rates/index.ts'
import type { Workspaces } from '../workspaces/index.ts'
import { type Attempts, createAttempts } from './attempts.ts'
import { type Challenges, createChallenges } from './challenges.ts'
import { freshSessionMs } from './limits.ts'
import { listPasskeys } from './passkey-store.ts'
import { createPasskeys, type Passkeys } from './passkeys.ts'
import { createPasswords } from './passwords.ts'
import { createSecondFactor, type SecondFactor, wrongCodeWords } from './second-factor.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { openSetup, type Setup } from './setup.ts'
import { createSshKeys, type SshKeys } from './ssh-keys.ts'
import { findSession, findUser, findUserByEmail, insertUser, setPassword } from './store.ts'

/** People and how they prove who they are. */
export interface Accounts {
  readonly setup: Setup
  readonly sessions: Sessions
  /** Counts wrong passwords and secrets. */
  readonly attempts: Attempts
  readonly secondFactor: SecondFactor
  readonly passkeys: Passkeys
  readonly sshKeys: SshKeys
  readonly challenges: Challenges
  account(userId: string): Promise<z.output<typeof Account>>
  /**
   * The user with this password, who is in unless a second factor is to be proven by `secondStep`; throws `unauthorized`, with the same
   * words and in the same time whatever is wrong. `operation` is what the log of the account calls it.
   */
  signIn(
    email: string,
    password: string,
    from: From,
    operation?: SigningIn,
  ): Promise<{ userId: string; next: SecondStep | null }>
  /** What remains to be done by somebody whom a provider knows; null where that is nothing. Throws `unauthorized`. */
  providerStep(userId: string, identity: string, from: From): Promise<SecondStep | null>
  /** A sign-in with a provider that came to nothing, in the log of the account. */
  refusedByProvider(userId: string, from: From): Promise<void>
  /** Makes an account without a password, as a part of the transaction that links it, and returns its id. */
  createWithoutPassword(trx: Store, person: { email: string; name: string; passwordHash: string }): Promise<string>
  /** The hash of a password that nobody knows. */
  unknowablePassword(): Promise<string>
  /** Whether the account has a password that somebody knows. */
  hasPassword(userId: string): Promise<boolean>
  /** Whether the account can sign in without any provider. */
  standsAlone(store: Store, userId: string): Promise<boolean>
  /** The id of the user whom `signIn` gave this challenge, who has proven the second factor now. Throws `unauthorized`. */
  secondStep(challenge: string, code: string, from: From): Promise<string>
  /** Tells the present password and second factor of somebody from later ones; null where there is no such user. */
  proofMark(userId: string): Promise<string | null>
  byEmail(email: string): Promise<{ id: string; email: string } | null>
  byId(userId: string): Promise<{ id: string; email: string } | null>
  /** The id of the user whose passkey this is. Throws `unauthorized`. */
  signInWithPasskey(credential: z.output<typeof ProvenCredential>, origin: URL, from: From): Promise<string>
  /** Begins a session of somebody who has just proved who they are by `operation`; returns the `Set-Cookie` that carries it. */
  enter(operation: SigningIn, userId: string, from: From): Promise<string>
  /** The user, who has just typed their password once more. Throws `forbidden` when it is wrong. */
  confirmPassword(userId: string, password: string, address: string): Promise<UserRow>
  /**
   * Throws `forbidden` when `current` is wrong. Ends every session but `keep`, which has to be a new one where the account has no password
   * yet.
   */
  changePassword(
    userId: string,
    input: { current: string; password: string },
    from: { address: string; keep: string | null },
  ): Promise<void>
  /** Uses an invitation up, makes the account where there is none, and returns its id. */
  accept(
    input: { secret: string; password: string; name?: string | undefined; code?: string | undefined },
    from: From,
  ): Promise<string>
}

/** What remains to be done after the password. */
export interface SecondStep {
  challenge: string
  expiresAt: string
}

/** Where somebody is. */
export type From = Pick<RequestFacts, 'address' | 'userAgent'>

/** The operations that begin a session. The log of the account has each of them, and what was wrong: passwords, codes, passkeys. */
type SigningIn =
  | 'setup'
  | 'signIn'
  | 'secondFactor'
  | 'signInWithPasskey'
  | 'signInWithProvider'
  | 'acceptInvitation'
  | 'sftpSignIn'

export interface AccountsOptions {
  database: Database
  changes: Changes
  clock: Clock
  rates: Pick<Rates, 'limit'>
  log: Log
  sealer: Sealer
  workspaces: Workspaces
  activity: Pick<Activity, 'record'>
  /** Gives a user what an invitation to a server promises. Part of the accepting transaction. */
  joinServer(trx: Store, invitation: InvitationRow & { server_id: string }, userId: string): Promise<void>
  /** What accounts are at providers. */
  identities: {
    /** Whether the account is linked to one that it can sign in with now. */
    any(store: Store, userId: string): Promise<boolean>
    /** Whether this link is still there, and good. */
    has(store: Store, userId: string, identity: string): Promise<boolean>
  }
  secureCookies: boolean
  setupSecretFile: string
}

export async function createAccounts(options: AccountsOptions): Promise<Accounts> {
  const { database, changes, clock, rates, log, sealer, workspaces } = options
  const passwords = createPasswords()
  const attempts = createAttempts(rates)
  const challenges = createChallenges({ database, clock, sealer })
  const secondFactor = createSecondFactor({ database, changes, clock, sealer, attempts })
  const standsAlone: Accounts['standsAlone'] = async (store, userId) =>
    (await findUser(store, userId))?.has_password === 1 || (await listPasskeys(store, userId)).length > 0
  const passkeys = createPasskeys({
    ...{ database, clock, challenges, log },
    hasOtherWay: async (trx, userId) =>
      (await findUser(trx, userId))?.has_password === 1 || (await options.identities.any(trx, userId)),
  })
  const sshKeys = createSshKeys({ database, changes, clock })
  const sessions = createSessions({ database, changes, clock, secure: options.secureCookies })

  const prove = async (user: UserRow | undefined, password: string, right: () => void): Promise<UserRow | null> => {
    if (!(await passwords.matches(user?.password_hash ?? null, password)) || !user) return null
    right()
    return user
  }
  /** A wrong password is the account's business, one for an account that does not exist nobody's. */
  const record = (
    operation: SigningIn,
    user: UserRow | undefined,
    { address, userAgent }: From,
    { sessionId = null, code }: { sessionId?: string | null; code: 'unauthorized' | null },
  ): void => {
    if (!user) return
    const via = sessionId === null ? null : { kind: 'session' as const, id: sessionId }
    options.activity.record({
      who: { userId: user.id, email: user.email, via },
      operation,
      permission: null,
      subject: null,
      serverId: null,
      workspaceId: null,
      address,
      userAgent: userAgent ?? null,
      code,
    })
  }
  const confirmPassword: Accounts['confirmPassword'] = async (userId, password, address) => {
    const known = await findUser(database.kysely, userId)
    if (known?.has_password === 0) throw forbidden(noPasswordWords)
    const right = await attempts.begin(address, userId)
    const user = await prove(known, password, right)
    if (!user) throw forbidden('The current password is wrong')
    return user
  }
  /** An account without a password proves itself by a sign-in that has just happened. */
  const confirmFresh = async (userId: string, sessionId: string | null): Promise<void> => {
    const session = sessionId === null ? undefined : await findSession(database.kysely, userId, sessionId)
    if (session && clock.now() - session.created_at < freshSessionMs) return
    throw forbidden('This account has no password yet. Sign out and in again, then set one within ten minutes.')
  }
  const secondStep = (user: UserRow, identity: string | null): SecondStep => {
    const { text, expiresAt } = challenges.issue('second-factor', {
      userId: user.id,
      passwordMark: markOf(user),
      identity,
    })
    return { challenge: text, expiresAt: isoTime(expiresAt) }
  }
  const letIn = async (trx: Store, invitation: InvitationRow, userId: string): Promise<void> => {
    const { server_id } = invitation
    if (server_id === null) await workspaces.join(trx, invitation, userId)
    else await options.joinServer(trx, { ...invitation, server_id }, userId)
  }

  return {
    setup: await openSetup({ database, clock, passwords, workspaces, secretFile: options.setupSecretFile }),
    sessions,
    attempts,
    secondFactor,
    passkeys,
    sshKeys,
    challenges,
    standsAlone,
    async account(userId) {
      const user = await findUser(database.kysely, userId)
      if (!user) throw unauthorized('The account is gone')
      return {
        id: user.id,
        email: user.email,
        name: user.name,
        instanceAdmin: user.instance_admin === 1,
        createdAt: isoTime(user.created_at),
        workspaces: await workspaces.ofUser(user.id),
      }
    },
    async signIn(email, password, from, operation = 'signIn') {
      const address = email.trim().toLowerCase()
      const right = await attempts.begin(from.address, address)
      const known = await findUserByEmail(database.kysely, address)
      const user = await prove(known, password, right)
      if (!user) {
        record(operation, known, from, refused)
        throw unauthorized('The e-mail address or the password is wrong')
      }
      if (!(await secondFactor.isOn(user.id))) return { userId: user.id, next: null }
      // Whoever knows the password and goes no further is to be seen as well.
      record(operation, user, from, { code: null })
      return { userId: user.id, next: secondStep(user, null) }
    },
    async providerStep(userId, identity, from) {
      const user = await findUser(database.kysely, userId)
      if (!user) throw unauthorized('The account is gone')
      if (!(await secondFactor.isOn(userId))) return null
      record('signInWithProvider', user, from, { code: null })
      return secondStep(user, identity)
    },
    async refusedByProvider(userId, from) {
      record('signInWithProvider', await findUser(database.kysely, userId), from, refused)
    },
    async createWithoutPassword(trx, { email, name, passwordHash }) {
      const id = newId('usr')
      await insertUser(trx, {
        ...{ id, email, name, password_hash: passwordHash },
        ...{ has_password: 0, instance_admin: 0, created_at: clock.now() },
      })
      return id
    },
    unknowablePassword: () => passwords.hash(newSecret('phn')),
    hasPassword: async (userId) => (await findUser(database.kysely, userId))?.has_password === 1,
    async secondStep(text, code, from) {
      const right = await attempts.begin(from.address, null)
      const challenge = challenges.read('second-factor', text)
      const user = challenge ? await findUser(database.kysely, challenge.claims.userId) : undefined
      if (!challenge || !user || markOf(user) !== challenge.claims.passwordMark) throw startAgain()
      const { identity } = challenge.claims
      const outcome = await secondFactor.prove(user.id, code, from.address, async (trx) => {
        if (identity !== null && !(await options.identities.has(trx, user.id, identity))) throw startAgain()
        if (!(await challenges.use(trx, challenge))) throw startAgain()
        return true
      })
      if (!outcome) {
        record('secondFactor', user, from, refused)
        throw unauthorized(wrongCodeWords)
      }
      right()
      await challenges.forgetExpired()
      return user.id
    },
    async proofMark(userId) {
      const user = await findUser(database.kysely, userId)
      return user ? hashSecret(`${user.password_hash} ${await secondFactor.since(userId)}`) : null
    },
    byEmail: async (email) => (await findUserByEmail(database.kysely, email.trim().toLowerCase())) ?? null,
    byId: async (userId) => (await findUser(database.kysely, userId)) ?? null,
    async signInWithPasskey(credential, origin, from) {
      const right = await attempts.begin(from.address, null)
      const { proven, userId } = await passkeys.prove(credential, origin)
      if (proven && userId !== null) {
        right()
        return userId
      }
      if (userId !== null) record('signInWithPasskey', await findUser(database.kysely, userId), from, refused)
      throw unauthorized(
        'This passkey opens nothing here: it was deleted, is of another panel, or was asked for more than five minutes ago. Try again, or sign in with the password.',
      )
    },
    async enter(operation, userId, from) {
      const { id, cookie } = await sessions.begin(userId, from)
      record(operation, await findUser(database.kysely, userId), from, { sessionId: id, code: null })
      return cookie
    },
    confirmPassword,
    async changePassword(userId, { current, password }, { address, keep }) {
      if ((await findUser(database.kysely, userId))?.has_password === 0) await confirmFresh(userId, keep)
      else await confirmPassword(userId, current, address)
      await setPassword(database.kysely, userId, await passwords.hash(password))
      await sessions.endOthers(userId, keep)
      await changes.publish({ of: 'user', id: userId })
    },
    async accept({ secret, password, name, code }, from) {
      const gone = (): Error =>
        unauthorized('This invitation is not valid any more. Ask for a new one: each works once, for a week.')
      const right = await attempts.begin(from.address, null)
      const invitation = await workspaces.invitation(secret)
      if (!invitation) throw gone()
      right()
      const { email } = invitation
      const known = await findUserByEmail(database.kysely, email)
      if (known?.has_password === 0)
        throw unauthorized(
          `${email} has an account here without a password. Sign in with its provider, set a password under Account, and open this link again.`,
        )
      if (known && !(await prove(known, password, await attempts.begin(from.address, email)))) {
        record('acceptInvitation', known, from, refused)
        throw unauthorized(`${email} has an account here, and this is not its password`)
      }
      if (known && (await secondFactor.isOn(known.id))) {
        if (code === undefined)
          throw invalidRequest('body.code', `${email} signs in with a code as well: type the one that the app shows`)
        if (!(await secondFactor.prove(known.id, code, from.address, async () => true))) {
          record('acceptInvitation', known, from, refused)
          throw unauthorized(wrongCodeWords)
        }
      }
      const passwordHash = known?.password_hash ?? (await passwords.hash(password))
      const userId = await database.transact(async (trx) => {
        const taken = await workspaces.take(trx, secret)
        if (!taken) throw gone()
        const user = await findUserByEmail(trx, email)
        if (user && !known) throw conflict(`${email} has just got an account. Open the link again.`)
        const id = user?.id ?? newId('usr')
        if (!user)
          await insertUser(trx, {
            id,
            email,
            name: name ?? email.slice(0, email.indexOf('@')),
            password_hash: passwordHash,
            has_password: 1,
            instance_admin: 0,
            created_at: clock.now(),
          })
        await letIn(trx, taken, id)
        return id
      })
      await changes.publish({ of: 'member', workspaceId: invitation.workspace_id, userId })
      if (invitation.server_id !== null)
        await changes.publish({ of: 'subuser', serverId: invitation.server_id, userId })
      return userId
    },
  }
}

const refused = { code: 'unauthorized' } as const

const noPasswordWords =
  'This account has no password yet. Set one under Account, within ten minutes after signing in: whatever guards the account asks for it.'

/** Tells one password of an account from the next. */
const markOf = ({ password_hash }: UserRow): string => hashSecret(password_hash)

const startAgain = (): Error =>
  unauthorized('This took too long, or was used already. Sign in again from the beginning.')
