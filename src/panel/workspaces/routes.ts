import type { workspaceOperations } from '../../contract/api/workspaces.ts'
import { notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Changes, Database } from '../db/index.ts'
import type { Tokens } from '../tokens/index.ts'
import { changeRole, removeMember } from './members.ts'
import { deleteInvitation, listInvitations, listMembers, type MemberRecord } from './store.ts'
import type { Workspaces } from './workspaces.ts'

export interface WorkspaceRouteOptions {
  workspaces: Workspaces
  database: Database
  changes: Changes
  tokens: Tokens
  clock: Clock
}

export const workspaceRoutes = (
  options: WorkspaceRouteOptions,
): Handlers<typeof workspaceOperations, PanelContexts> => {
  const { workspaces, database, changes, clock } = options
  return {
    workspace: ({ workspace }) => workspaces.describe(workspace),
    updateWorkspace: ({ workspace, body }) => workspaces.rename(workspace, body.name),
    async workspaces({ caller }) {
      return { workspaces: await workspaces.ofUser(caller.userId) }
    },
    async createWorkspace({ caller, body }) {
      const row = await database.transact((trx) => workspaces.create(trx, { ...body, ownerId: caller.userId }))
      await changes.publish({ of: 'member', workspaceId: row.id, userId: caller.userId })
      return workspaces.describe({ ...row, createdAt: row.created_at, role: 'owner' })
    },
    async members({ workspace }) {
      const members = await listMembers(database.kysely, workspace.id)
      return { members: members.map(memberReply), permissions: [...workspace.permissions] }
    },
    async updateMember({ workspace, params, body }) {
      return memberReply(await changeRole(options, workspace, params.member, body.role))
    },
    async removeMember({ workspace, params }) {
      await removeMember(options, workspace, params.member)
      return { id: params.member, removed: true }
    },
    async invitations({ workspace }) {
      const rows = await listInvitations(database.kysely, workspace.id, clock.now())
      return {
        invitations: rows.map(({ id, email, role, created_at, expires_at }) => ({
          id,
          email,
          role,
          createdAt: isoTime(created_at),
          expiresAt: isoTime(expires_at),
        })),
      }
    },
    createInvitation: ({ caller, workspace, body }) => workspaces.invite(caller, workspace, body),
    async deleteInvitation({ workspace, params }) {
      if (!(await deleteInvitation(database.kysely, workspace.id, params.invitation)))
        throw notFound(`Invitation ${params.invitation}`)
      return { id: params.invitation, removed: true }
    },
  }
}

const memberReply = ({ joinedAt, ...member }: MemberRecord) => ({ ...member, joinedAt: isoTime(joinedAt) })
