/**
 * What may be granted on one server: `noun.verb`, one noun per feature, as in the panel document. An operation needs exactly
 * one of them, and none of them allows what another one guards.
 */
export const serverPermissions = [
  'control.start',
  'control.stop',
  'control.restart',
  'control.kill',
  'console.read',
  'console.write',
  'files.read',
  'files.write',
  'files.delete',
  'files.archive',
  'backups.read',
  'backups.create',
  'backups.delete',
  'backups.download',
  'backups.restore',
  'databases.read',
  'databases.create',
  'databases.delete',
  'databases.rotate',
  'databases.password',
  'network.read',
  'network.create',
  'network.update',
  'network.delete',
  'schedules.read',
  'schedules.create',
  'schedules.update',
  'schedules.delete',
  'schedules.run',
  'users.read',
  'users.create',
  'users.update',
  'users.delete',
  'settings.read',
  'settings.update',
  'settings.reinstall',
  'startup.read',
  'startup.update',
  'activity.read',
  'sftp.connect',
] as const
export type ServerPermission = (typeof serverPermissions)[number]

/**
 * What a ticket allows: one thing on one server, for minutes, carried by a link or a program that holds no key. Each is
 * good only while the person it was made for has the permission beside it.
 */
export const ticketPurposes = {
  'files.upload': 'files.write',
  'files.download': 'files.read',
  'backups.download': 'backups.download',
} as const satisfies Readonly<Record<string, ServerPermission>>
export type TicketPurpose = keyof typeof ticketPurposes

/** What a member may do in a workspace; which role holds which is `rolePermissions`. */
export const workspacePermissions = [
  'workspace.read',
  'workspace.update',
  'members.read',
  'members.manage',
  'tokens.read',
  'tokens.create',
  'tokens.revoke',
  'usage.read',
  'activity.read',
  'tunnels.read',
  'tunnels.open',
  'tunnels.close',
  'domains.manage',
  'tunnels.inspect',
  'tunnels.replay',
  'tunnels.capture',
  'tunnels.disconnect',
  'servers.list',
  'servers.create',
  'webhooks.read',
  'webhooks.manage',
] as const
export type WorkspacePermission = (typeof workspacePermissions)[number]

/** `owner` cannot be removed while alone; `admin` does everything but that; `member` uses what there is. */
export const roles = ['owner', 'admin', 'member'] as const
export type Role = (typeof roles)[number]

const memberPermissions: readonly WorkspacePermission[] = [
  'workspace.read',
  'members.read',
  'tokens.read',
  'tokens.create',
  'tokens.revoke',
  'usage.read',
  'tunnels.read',
  'tunnels.open',
  'tunnels.close',
  'tunnels.inspect',
  'tunnels.replay',
  'tunnels.disconnect',
  'servers.list',
  'servers.create',
]

export const rolePermissions: Record<Role, readonly WorkspacePermission[]> = {
  owner: workspacePermissions,
  admin: workspacePermissions,
  member: memberPermissions,
}
