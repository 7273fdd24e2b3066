import { z } from 'zod'
import {
  type Role,
  rolePermissions,
  roles,
  type ServerPermission,
  serverPermissions,
} from '../../contract/permissions.ts'
import type { ServerRow, Store } from '../db/index.ts'
import type { WorkspaceMembership } from './caller.ts'
import { keyRequestsPerMinute } from './limits.ts'

/** A membership with what admission needs beyond it. */
export interface Membership extends WorkspaceMembership {
  readonly suspended: boolean
  readonly keyRequestsPerMinute: number
}

/** What a key or a session proves. */
export interface Credential {
  readonly kind: 'token' | 'session'
  readonly id: string
  readonly userId: string
  readonly email: string
  readonly instanceAdmin: boolean
  /** ms since 1970, null for never. */
  readonly expiresAt: number | null
  /** Of a key: the workspace it belongs to. */
  readonly workspaceId: string | null
  /** The user's workspaces, the one joined first at the front. */
  readonly memberships: readonly Membership[]
}

export interface ServerGrant {
  readonly row: ServerRow
  /** The user's role in the server's workspace. */
  readonly role: Role | null
  /** What the user was given as a subuser; null for none. */
  readonly granted: readonly ServerPermission[] | null
  readonly suspended: boolean
}

/** A key that has not been revoked, by its secret's hash or its id. */
export async function findToken(
  store: Store,
  by: { column: 'secret_hash' | 'id'; value: string },
): Promise<Credential | null> {
  const row = await store
    .selectFrom('tokens')
    .innerJoin('users', 'users.id', 'tokens.user_id')
    .select([
      'tokens.id',
      'tokens.workspace_id',
      'tokens.expires_at',
      'users.id as user_id',
      'users.email',
      'users.instance_admin',
    ])
    .where(`tokens.${by.column}`, '=', by.value)
    .where('tokens.revoked_at', 'is', null)
    .executeTakeFirst()
  if (!row) return null
  const memberships = await membershipsOf(store, row.user_id)
  // Whoever left the workspace has no keys in it, whatever the rows say.
  if (!memberships.some(({ id }) => id === row.workspace_id)) return null
  return {
    kind: 'token',
    id: row.id,
    userId: row.user_id,
    email: row.email,
    instanceAdmin: row.instance_admin === 1,
    expiresAt: row.expires_at,
    workspaceId: row.workspace_id,
    memberships,
  }
}

export async function findSession(
  store: Store,
  by: { column: 'secret_hash' | 'id'; value: string },
): Promise<Credential | null> {
  const row = await store
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['sessions.id', 'sessions.expires_at', 'users.id as user_id', 'users.email', 'users.instance_admin'])
    .where(`sessions.${by.column}`, '=', by.value)
    .executeTakeFirst()
  if (!row) return null
  return {
    kind: 'session',
    id: row.id,
    userId: row.user_id,
    email: row.email,
    instanceAdmin: row.instance_admin === 1,
    expiresAt: row.expires_at,
    workspaceId: null,
    memberships: await membershipsOf(store, row.user_id),
  }
}

/** A server that is not being deleted, as `userId` stands to it. */
export async function findServerGrant(store: Store, serverId: string, userId: string): Promise<ServerGrant | null> {
  const row = await store
    .selectFrom('servers')
    .selectAll()
    .where('id', '=', serverId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (!row) return null
  const workspace = await store
    .selectFrom('workspaces')
    .leftJoin('members', (join) =>
      join.onRef('members.workspace_id', '=', 'workspaces.id').on('members.user_id', '=', userId),
    )
    .select(['workspaces.suspended_at', 'members.role'])
    .where('workspaces.id', '=', row.workspace_id)
    .executeTakeFirstOrThrow()
  const subuser = await store
    .selectFrom('subusers')
    .select('permissions')
    .where('server_id', '=', serverId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return {
    row,
    role: workspace.role === null ? null : StoredRole.parse(workspace.role),
    granted: subuser ? storedPermissions(subuser.permissions) : null,
    suspended: workspace.suspended_at !== null,
  }
}

async function membershipsOf(store: Store, userId: string): Promise<Membership[]> {
  const rows = await store
    .selectFrom('members')
    .innerJoin('workspaces', 'workspaces.id', 'members.workspace_id')
    .selectAll('workspaces')
    .select('members.role')
    .where('members.user_id', '=', userId)
    .orderBy('members.joined_at')
    .orderBy('workspaces.id')
    .execute()
  return rows.map((row) => {
    const role = StoredRole.parse(row.role)
    return {
      id: row.id,
      slug: row.slug,
      name: row.name,
      createdAt: row.created_at,
      role,
      permissions: permissionsOfRole[role],
      suspended: row.suspended_at !== null,
      keyRequestsPerMinute: row.plan === 'enterprise' ? (row.rate_limit ?? keyRequestsPerMinute) : keyRequestsPerMinute,
    }
  })
}

const StoredRole = z.enum(roles)
const StoredPermissions = z.array(z.string())

const permissionsOfRole = {
  owner: new Set(rolePermissions.owner),
  admin: new Set(rolePermissions.admin),
  member: new Set(rolePermissions.member),
}

/** A name that a later version has dropped allows nothing. */
function storedPermissions(text: string): ServerPermission[] {
  const names = new Set(StoredPermissions.parse(JSON.parse(text)))
  return serverPermissions.filter((permission) => names.has(permission))
}
