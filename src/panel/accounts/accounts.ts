import type { z } from 'zod'
import type { Account } from '../../contract/api/accounts.ts'
import { conflict, forbidden, unauthorized } from '../../contract/errors.ts'
import type { RequestFacts } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Activity } from '../activity/index.ts'
import type { Changes, Database, InvitationRow, Store, UserRow } from '../db/index.ts'
import type { Workspaces } from '../workspaces/index.ts'
import { type Attempts, createAttempts } from './attempts.ts'
import { createPasswords } from './passwords.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { openSetup, type Setup } from './setup.ts'
import { findUser, findUserByEmail, insertUser, setPassword } from './store.ts'

/** People and how they prove who they are. */
export interface Accounts {
  readonly setup: Setup
  readonly sessions: Sessions
  /** Counts wrong passwords and secrets. */
  readonly attempts: Attempts
  account(userId: string): Promise<z.output<typeof Account>>
  /** The id of the user with this password; throws `unauthorized`, with the same words and in the same time whatever is wrong. */
  signIn(email: string, password: string, from: From): Promise<string>
  /** Begins a session of somebody who has just proved who they are by `operation`; returns the `Set-Cookie` that carries it. */
  enter(operation: SigningIn, userId: string, from: From): Promise<string>
  /** Throws `forbidden` when `current` is wrong. Ends every session but `keep`. */
  changePassword(
    userId: string,
    input: { current: string; password: string },
    from: { address: string; keep: string | null },
  ): Promise<void>
  /** Uses an invitation up, makes the account where there is none, and returns its id. */
  accept(input: { secret: string; password: string; name?: string | undefined }, from: From): Promise<string>
}

/** Where somebody is. */
export type From = Pick<RequestFacts, 'address' | 'userAgent'>

/** The operations that begin a session. The log of the account has each of them, and each wrong password. */
type SigningIn = 'setup' | 'signIn' | 'acceptInvitation'

export interface AccountsOptions {
  database: Database
  changes: Changes
  clock: Clock
  workspaces: Workspaces
  activity: Pick<Activity, 'record'>
  /** Gives a user what an invitation to a server promises. Part of the accepting transaction. */
  joinServer(trx: Store, invitation: InvitationRow & { server_id: string }, userId: string): Promise<void>
  secureCookies: boolean
  setupSecretFile: string
}

export async function createAccounts(options: AccountsOptions): Promise<Accounts> {
  const { database, changes, clock, workspaces } = options
  const passwords = createPasswords()
  const attempts = createAttempts(clock)
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
    sessionId: string | null,
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
      code: sessionId === null ? 'unauthorized' : null,
    })
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
    async signIn(email, password, from) {
      const address = email.trim().toLowerCase()
      const right = attempts.begin(from.address, address)
      const known = await findUserByEmail(database.kysely, address)
      const user = await prove(known, password, right)
      if (user) return user.id
      record('signIn', known, from, null)
      throw unauthorized('The e-mail address or the password is wrong')
    },
    async enter(operation, userId, from) {
      const { id, cookie } = await sessions.begin(userId, from)
      record(operation, await findUser(database.kysely, userId), from, id)
      return cookie
    },
    async changePassword(userId, { current, password }, { address, keep }) {
      const right = attempts.begin(address, userId)
      if (!(await prove(await findUser(database.kysely, userId), current, right)))
        throw forbidden('The current password is wrong')
      await setPassword(database.kysely, userId, await passwords.hash(password))
      await sessions.endOthers(userId, keep)
    },
    async accept({ secret, password, name }, from) {
      const gone = (): Error =>
        unauthorized('This invitation is not valid any more. Ask for a new one: each works once, for a week.')
      const right = attempts.begin(from.address, null)
      const invitation = await workspaces.invitation(secret)
      if (!invitation) throw gone()
      right()
      const { email } = invitation
      const known = await findUserByEmail(database.kysely, email)
      if (known && !(await prove(known, password, attempts.begin(from.address, email)))) {
        record('acceptInvitation', known, from, null)
        throw unauthorized(`${email} has an account here, and this is not its password`)
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
