import { conflict, forbidden, notFound } from '../../contract/errors.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import type { Clock } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret } from '../../lib/secret.ts'
import type { Caller, ServerAccess } from '../access/index.ts'
import type { Changes, Database, InvitationRow, Store } from '../db/index.ts'
import { type Delivered, deliverInvitation, type Post } from '../mail/index.ts'
import { mustHold, ordered } from './grant.ts'
import {
  insertServerInvitation,
  insertSubuser,
  parsePermissions,
  removeInvitationsBy,
  removeInvitationsTo,
  removeSubuser,
  type SubuserRecord,
  serverOwner,
  setPermissions,
  subuserOf,
  subusersOf,
  userByEmail,
} from './store.ts'

/** People of one server, those invited counted: a large team, and few enough to read through. */
export const subusersMax = 200

/** An invitation's link works this long, in milliseconds: a week, over a weekend and a holiday. */
export const invitationLifetimeMs = 7 * 24 * 60 * 60 * 1000

export interface SubusersOptions {
  db: Database
  changes: Changes
  clock: Clock
  /** Where the panel's pages are. */
  publicUrl(): string
  post: Post
}

export interface Added {
  id: string
  /** For somebody without an account here. */
  invitation: Delivered | null
}

/** Who else may use a server. Nobody touches its owner or themselves, and nobody grants more than they hold. */
export class Subusers {
  readonly #options: SubusersOptions

  constructor(options: SubusersOptions) {
    this.#options = options
  }

  all({ row }: ServerAccess): Promise<SubuserRecord[]> {
    return subusersOf(this.#options.db.kysely, row.id, this.#options.clock.now())
  }

  one({ row }: ServerAccess, id: string): Promise<SubuserRecord> {
    return this.#find(this.#options.db.kysely, row.id, id)
  }

  /** A known user has the server at once; anybody else gets an invitation. */
  async add(
    caller: Caller,
    server: ServerAccess,
    email: string,
    permissions: readonly ServerPermission[],
  ): Promise<Added> {
    const { db, changes, clock, publicUrl, post } = this.#options
    const { row } = server
    mustHold(server.permissions, [], permissions)
    if (email === caller.email) throw forbidden('You cannot add yourself: you have the server already.')
    const secret = newSecret('phi')
    const now = clock.now()
    const added = await db.transact(async (trx) => {
      const owner = await serverOwner(trx, row.id)
      if (owner === null) throw notFound(`Server ${row.id}`)
      const known = await userByEmail(trx, email)
      if (known?.id === owner) throw conflict(`${email} owns ${row.name} and holds every permission.`)
      const present = await subusersOf(trx, row.id, now)
      if (present.some((subuser) => !subuser.pending && subuser.email === email))
        throw conflict(`${email} has ${row.name} already: change their permissions instead.`)
      await removeInvitationsTo(trx, row.id, email)
      if (present.filter((subuser) => subuser.email !== email).length >= subusersMax)
        throw conflict(`${row.name} has ${subusersMax} subusers, the most there can be: remove one first.`)
      if (known) {
        await insertSubuser(trx, { serverId: row.id, userId: known.id, permissions: ordered(permissions), now })
        return { id: known.id, invited: false }
      }
      const invitation = {
        id: newId('inv'),
        workspace_id: row.workspace_id,
        server_id: row.id,
        permissions: JSON.stringify(ordered(permissions)),
        email,
        role: 'member',
        secret_hash: hashSecret(secret),
        created_by: caller.userId,
        created_at: now,
        expires_at: now + invitationLifetimeMs,
      }
      await insertServerInvitation(trx, invitation)
      return { id: invitation.id, invited: true }
    })
    if (added.invited) {
      const delivered = await deliverInvitation(post, caller.userId, {
        to: email,
        by: caller.email,
        what: { kind: 'server', name: row.name },
        url: `${publicUrl()}/invitation#${secret}`,
        expiresAt: now + invitationLifetimeMs,
      })
      return { id: added.id, invitation: delivered }
    }
    await changes.publish({ of: 'subuser', serverId: row.id, userId: added.id })
    return { id: added.id, invitation: null }
  }

  /** What they have invited others to falls with a permission that they lose. */
  async update(
    caller: Caller,
    server: ServerAccess,
    id: string,
    permissions: readonly ServerPermission[],
  ): Promise<void> {
    const { row } = server
    await this.#change(caller, row.id, id, async (trx, subuser) => {
      mustHold(server.permissions, subuser.permissions, permissions)
      await setPermissions(trx, row.id, subuser, ordered(permissions))
      if (!subuser.permissions.every((permission) => permissions.includes(permission)))
        await removeInvitationsBy(trx, row.id, subuser.id)
    })
  }

  async remove(caller: Caller, { row }: ServerAccess, id: string): Promise<void> {
    await this.#change(caller, row.id, id, async (trx, subuser) => {
      await removeSubuser(trx, row.id, subuser)
      await removeInvitationsBy(trx, row.id, subuser.id)
    })
  }

  /** Gives a user what an invitation to a server promises, in the transaction that uses the invitation up. */
  async join(trx: Store, invitation: InvitationRow & { server_id: string }, userId: string): Promise<void> {
    const { clock } = this.#options
    const owner = await serverOwner(trx, invitation.server_id)
    if (owner === null) throw conflict('The server of this invitation has been deleted.')
    if (owner === userId) throw conflict('You own this server already.')
    const now = clock.now()
    if (await subuserOf(trx, invitation.server_id, userId, now)) throw conflict('You have this server already.')
    const permissions = invitation.permissions === null ? [] : parsePermissions(invitation.permissions)
    await insertSubuser(trx, { serverId: invitation.server_id, userId, permissions, now })
  }

  async #change(
    caller: Caller,
    serverId: string,
    id: string,
    change: (trx: Store, subuser: SubuserRecord) => Promise<void>,
  ): Promise<void> {
    const { db, changes } = this.#options
    if (id === caller.userId) throw forbidden('You cannot change or remove yourself: ask somebody else who may.')
    await db.transact(async (trx) => {
      const owner = await serverOwner(trx, serverId)
      if (owner === id) throw forbidden('The owner of a server always holds every permission on it.')
      await change(trx, await this.#find(trx, serverId, id))
    })
    await changes.publish({ of: 'subuser', serverId, userId: id })
  }

  async #find(db: Store, serverId: string, id: string): Promise<SubuserRecord> {
    const subuser = await subuserOf(db, serverId, id, this.#options.clock.now())
    if (!subuser) throw notFound(`Subuser ${id}`)
    return subuser
  }
}
