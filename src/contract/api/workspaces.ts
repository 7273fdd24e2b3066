import { z } from 'zod'
import { displayName, Email, Slug, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { roles, workspacePermissions } from '../permissions.ts'

export const Workspace = z
  .strictObject({
    slug: Slug,
    name: z.string(),
    provisioned: z.boolean().meta({ description: 'The slug is claimed and an edge that can serve it is connected' }),
    tunnelBase: z
      .string()
      .meta({ description: 'The suffix of the host names of its tunnels', example: 'acme.localhost' }),
    role: z.enum(roles).meta({ description: 'What the caller is in it' }),
    createdAt: Time,
  })
  .meta({
    id: 'Workspace',
    example: {
      slug: 'acme',
      name: 'Acme Inc',
      provisioned: true,
      tunnelBase: 'acme.localhost',
      role: 'owner',
      createdAt: '2026-06-01T12:00:00.000Z',
    },
  })

export const Member = z
  .strictObject({ id: z.string(), email: z.string(), name: z.string(), role: z.enum(roles), joinedAt: Time })
  .meta({ id: 'Member' })

export const Invitation = z
  .strictObject({
    id: z.string(),
    email: z.string(),
    role: z.enum(roles),
    createdAt: Time,
    expiresAt: Time,
  })
  .meta({ id: 'Invitation' })

/** The link is shown once: only its hash is kept. */
export const NewInvitation = Invitation.extend({
  message: z.string(),
  mailed: z.boolean().meta({ description: 'The link has been sent to that address' }),
  url: z.string().nullable().meta({ description: 'The link, where it was not mailed: hand it over' }),
}).meta({ id: 'NewInvitation' })

const base = { family: 'control', tag: 'Workspaces' } as const

export const workspaceOperations = {
  workspace: operation({
    ...base,
    method: 'GET',
    path: '/workspace',
    summary: 'The workspace the key belongs to',
    mcp: { tool: 'get_workspace' },
    access: { workspace: 'workspace.read' },
    reply: Workspace,
    errors: [],
  }),
  updateWorkspace: operation({
    ...base,
    method: 'PATCH',
    path: '/workspace',
    summary: 'Rename the workspace; its slug stays',
    access: { workspace: 'workspace.update' },
    body: z.strictObject({ name: displayName(80) }),
    reply: Workspace,
    errors: [],
  }),
  workspaces: operation({
    ...base,
    method: 'GET',
    path: '/workspaces',
    summary: 'Every workspace the caller is a member of',
    access: 'account',
    reply: z.strictObject({ workspaces: z.array(Workspace) }),
    errors: [],
  }),
  createWorkspace: operation({
    ...base,
    method: 'POST',
    path: '/workspaces',
    summary: 'Make a workspace; the caller owns it',
    access: 'account',
    body: z.strictObject({ name: displayName(80), slug: Slug }),
    reply: Workspace,
    errors: ['conflict', 'forbidden'],
  }),
  members: operation({
    ...base,
    method: 'GET',
    path: '/workspace/members',
    summary: 'Who belongs to the workspace',
    mcp: { tool: 'list_members' },
    access: { workspace: 'members.read' },
    reply: z.strictObject({
      members: z.array(Member),
      permissions: z.array(z.enum(workspacePermissions)).meta({ description: 'What the caller may do here' }),
    }),
    errors: [],
  }),
  updateMember: operation({
    ...base,
    method: 'PATCH',
    path: '/workspace/members/{member}',
    summary: 'Change a member’s role; nobody can give a role above their own, and one owner remains',
    access: { workspace: 'members.manage' },
    params: z.object({ member: z.string() }),
    body: z.strictObject({ role: z.enum(roles) }),
    reply: Member,
    errors: ['not_found', 'conflict'],
  }),
  removeMember: operation({
    ...base,
    method: 'DELETE',
    path: '/workspace/members/{member}',
    summary: 'Remove a member; their keys for this workspace are revoked at once',
    access: { workspace: 'members.manage' },
    params: z.object({ member: z.string() }),
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
  invitations: operation({
    ...base,
    method: 'GET',
    path: '/workspace/invitations',
    summary: 'Invitations not yet accepted',
    access: { workspace: 'members.manage' },
    reply: z.strictObject({ invitations: z.array(Invitation) }),
    errors: [],
  }),
  createInvitation: operation({
    ...base,
    method: 'POST',
    path: '/workspace/invitations',
    summary: 'Invite somebody by e-mail, or by the link that comes back, shown once, where none could be sent',
    access: { workspace: 'members.manage' },
    body: z.strictObject({ email: Email, role: z.enum(roles).default('member') }),
    reply: NewInvitation,
    errors: ['conflict'],
  }),
  deleteInvitation: operation({
    ...base,
    method: 'DELETE',
    path: '/workspace/invitations/{invitation}',
    summary: 'Withdraw an invitation',
    access: { workspace: 'members.manage' },
    params: z.object({ invitation: z.string() }),
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found'],
  }),
}
