import { conflict, forbidden, notFound } from '../../contract/errors.ts'
import type { Role } from '../../contract/permissions.ts'
import type { WorkspaceMembership } from '../access/index.ts'
import type { Changes, Database } from '../db/index.ts'
import type { Tokens } from '../tokens/index.ts'
import { reaches } from './ranks.ts'
import { countOwners, deleteInvitationsBy, deleteMember, findMember, type MemberRecord, setRole } from './store.ts'

export interface MemberOptions {
  database: Database
  changes: Changes
  tokens: Pick<Tokens, 'revokeOfMember'>
}

/** Gives a member another role. What they invited with the old one is withdrawn. */
export async function changeRole(
  { database, changes }: MemberOptions,
  workspace: WorkspaceMembership,
  userId: string,
  role: Role,
): Promise<MemberRecord> {
  const changed = await database.transact(async (trx) => {
    const member = await findMember(trx, workspace.id, userId)
    if (!member) throw notFound(`Member ${userId}`)
    refuseAbove(workspace, member.role)
    refuseAbove(workspace, role)
    if (member.role === role) return member
    if (member.role === 'owner' && (await countOwners(trx, workspace.id)) === 1) throw lastOwner(member, workspace)
    await setRole(trx, workspace.id, userId, role)
    await deleteInvitationsBy(trx, workspace.id, userId)
    return { ...member, role }
  })
  await changes.publish({ of: 'member', workspaceId: workspace.id, userId })
  return changed
}

/** Takes a member out of the workspace; their keys for it, and what they invited, end with it. */
export async function removeMember(
  { database, changes, tokens }: MemberOptions,
  workspace: WorkspaceMembership,
  userId: string,
): Promise<void> {
  const tokenIds = await database.transact(async (trx) => {
    const member = await findMember(trx, workspace.id, userId)
    if (!member) throw notFound(`Member ${userId}`)
    refuseAbove(workspace, member.role)
    if (member.role === 'owner' && (await countOwners(trx, workspace.id)) === 1) throw lastOwner(member, workspace)
    await deleteInvitationsBy(trx, workspace.id, userId)
    await deleteMember(trx, workspace.id, userId)
    return tokens.revokeOfMember(trx, workspace.id, userId)
  })
  await changes.publish({ of: 'member', workspaceId: workspace.id, userId })
  for (const id of tokenIds) await changes.publish({ of: 'token', id })
}

/** Throws `forbidden` where `role` is above what the caller is. */
export function refuseAbove(workspace: WorkspaceMembership, role: Role): void {
  if (!reaches(workspace.role, role))
    throw forbidden(`You are ${workspace.role} of workspace ${workspace.slug}: only an owner deals with owners`)
}

const lastOwner = (member: MemberRecord, workspace: WorkspaceMembership): Error =>
  conflict(`${member.email} is the only owner of workspace ${workspace.slug}. Make somebody else an owner first.`)
