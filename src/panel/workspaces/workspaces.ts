import type { z } from 'zod'
import type { NewInvitation, Workspace } from '../../contract/api/workspaces.ts'
import { conflict, forbidden } from '../../contract/errors.ts'
import type { Role } from '../../contract/permissions.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret } from '../../lib/secret.ts'
import type { Caller, WorkspaceMembership } from '../access/index.ts'
import type { Changes, Database, InvitationRow, Store, WorkspaceRow } from '../db/index.ts'
import type { EdgeDirectory } from '../edges/index.ts'
import { deliverInvitation, type Post } from '../mail/index.ts'
import { refuseAbove } from './members.ts'
import {
  deleteInvitationsTo,
  findInvitation,
  findMember,
  hasMemberWithEmail,
  insertInvitation,
  insertMember,
  insertWorkspace,
  listInvitations,
  parseRole,
  renameWorkspace,
  slugTaken,
  takeInvitation,
  workspacesOfUser,
} from './store.ts'

/** Workspaces of one user: each holds names on every edge, so they are not free. */
export const workspacesPerUserMax = 20

/** Invitations of one workspace that wait at the same time. */
export const pendingInvitationsMax = 200

/** An invitation's link works this long, in milliseconds: a week, over a weekend and a holiday. */
export const invitationLifetimeMs = 7 * 24 * 60 * 60 * 1000

export interface Workspaces {
  /** Makes a workspace whose owner is `ownerId`. Throws `conflict` when the slug is taken. */
  create(trx: Store, input: { name: string; slug: string; ownerId: string }): Promise<WorkspaceRow>
  /** Every workspace of a user, as the API shows it. */
  ofUser(userId: string): Promise<z.output<typeof Workspace>[]>
  describe(workspace: { slug: string; name: string; createdAt: number; role: Role }): z.output<typeof Workspace>
  rename(workspace: WorkspaceMembership, name: string): Promise<z.output<typeof Workspace>>
  /** Replaces an earlier invitation of the same person. */
  invite(
    caller: Caller,
    workspace: WorkspaceMembership,
    input: { email: string; role: Role },
  ): Promise<z.output<typeof NewInvitation>>
  /** The invitation behind a link, still open; nothing changes. */
  invitation(secret: string): Promise<InvitationRow | null>
  /** Uses an invitation up; null when it is gone. The caller lets the person in with `join`, in the same transaction. */
  take(trx: Store, secret: string): Promise<InvitationRow | null>
  /** Makes a user the member that an invitation to a workspace speaks of. Publish `{of: 'member'}` after the commit. */
  join(trx: Store, invitation: InvitationRow, userId: string): Promise<void>
}

export interface WorkspacesOptions {
  database: Database
  changes: Changes
  clock: Clock
  edges: Pick<EdgeDirectory, 'connected' | 'reach'>
  /** Where the panel's pages are: `http://127.0.0.1:4680`. */
  publicUrl: () => string
  post: Post
}

export function createWorkspaces({ database, changes, clock, edges, publicUrl, post }: WorkspacesOptions): Workspaces {
  const describe: Workspaces['describe'] = ({ slug, name, createdAt, role }) => ({
    slug,
    name,
    provisioned: edges.connected().length > 0,
    tunnelBase: `${slug}.${edges.reach()?.base ?? baseBeforeFirstEdge}`,
    role,
    createdAt: isoTime(createdAt),
  })
  return {
    describe,
    async create(trx, { name, slug, ownerId }) {
      if ((await workspacesOfUser(trx, ownerId)).length >= workspacesPerUserMax)
        throw forbidden(`You belong to ${workspacesPerUserMax} workspaces, the most anybody can belong to`)
      if (await slugTaken(trx, slug)) throw conflict(`The slug ${slug} is taken. Choose another one.`)
      const row: WorkspaceRow = {
        id: newId('wsp'),
        slug,
        name,
        plan: 'standard',
        rate_limit: null,
        suspended_at: null,
        created_at: clock.now(),
      }
      await insertWorkspace(trx, row)
      await insertMember(trx, { workspace_id: row.id, user_id: ownerId, role: 'owner', joined_at: row.created_at })
      return row
    },
    async ofUser(userId) {
      const rows = await workspacesOfUser(database.kysely, userId)
      return rows.map((row) => describe({ ...row, createdAt: row.created_at }))
    },
    async rename(workspace, name) {
      await renameWorkspace(database.kysely, workspace.id, name)
      await changes.publish({ of: 'workspace', id: workspace.id })
      return describe({ ...workspace, name })
    },
    async invite(caller, workspace, { email, role }) {
      refuseAbove(workspace, role)
      const secret = newSecret('phi')
      const now = clock.now()
      const row: InvitationRow = {
        id: newId('inv'),
        workspace_id: workspace.id,
        server_id: null,
        permissions: null,
        email,
        role,
        secret_hash: hashSecret(secret),
        created_by: caller.userId,
        created_at: now,
        expires_at: now + invitationLifetimeMs,
      }
      await database.transact(async (trx) => {
        if (await hasMemberWithEmail(trx, workspace.id, email))
          throw conflict(`${email} is already a member of workspace ${workspace.slug}`)
        await deleteInvitationsTo(trx, workspace.id, email)
        if ((await listInvitations(trx, workspace.id, now)).length >= pendingInvitationsMax)
          throw conflict(`${pendingInvitationsMax} invitations wait already, the most there can be. Withdraw one.`)
        await insertInvitation(trx, row)
      })
      const delivered = await deliverInvitation(post, caller.userId, {
        to: email,
        by: caller.email,
        what: { kind: 'workspace', name: workspace.name },
        // In the fragment, which browsers keep to themselves: the secret reaches no server log.
        url: `${publicUrl()}/invitation#${secret}`,
        expiresAt: row.expires_at,
      })
      return {
        id: row.id,
        email,
        role,
        createdAt: isoTime(row.created_at),
        expiresAt: isoTime(row.expires_at),
        ...delivered,
      }
    },
    async invitation(secret) {
      return (await findInvitation(database.kysely, hashSecret(secret), clock.now())) ?? null
    },
    async take(trx, secret) {
      return (await takeInvitation(trx, hashSecret(secret), clock.now())) ?? null
    },
    async join(trx, invitation, userId) {
      if (await findMember(trx, invitation.workspace_id, userId))
        throw conflict('You are already a member of this workspace')
      await insertMember(trx, {
        workspace_id: invitation.workspace_id,
        user_id: userId,
        role: parseRole(invitation.role),
        joined_at: clock.now(),
      })
    },
  }
}

/** What an edge without configuration calls itself: names below it lead to this machine everywhere. */
const baseBeforeFirstEdge = 'localhost'
