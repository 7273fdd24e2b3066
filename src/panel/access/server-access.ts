import { type ServerPermission, serverPermissions } from '../../contract/permissions.ts'
import type { Caller, ServerAccess } from './caller.ts'
import type { ServerGrant } from './store.ts'

/**
 * What `caller` holds on a server. Everything: its owner while a member of its workspace, and that workspace's owners and
 * admins. Others: what they were given as a subuser. A key reaches its own workspace's servers, and those that others gave its
 * user. Null: nothing, not even that the server exists.
 */
export function accessTo(caller: Caller, { row, role, granted }: ServerGrant): ServerAccess | null {
  const inReach = caller.via.kind === 'session' || caller.via.workspaceId === row.workspace_id
  const owns = role === 'owner' || role === 'admin' || (role === 'member' && row.owner_id === caller.userId)
  if (inReach && owns) return { row, isOwner: true, permissions: everyPermission }
  if (granted === null) return null
  return { row, isOwner: false, permissions: new Set(granted) }
}

const everyPermission: ReadonlySet<ServerPermission> = new Set(serverPermissions)
