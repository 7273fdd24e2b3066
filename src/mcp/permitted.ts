import type { Access } from '../contract/operation.ts'
import { rolePermissions } from '../contract/permissions.ts'
import type { Api } from './tool.ts'

/**
 * Which tools are worth being shown to whoever holds the key. What a tool may really do is decided by the API each time that it is used.
 * On servers everything is worth it for who may create one: they have every permission on their own.
 */
export async function permitted(api: Api, signal: AbortSignal): Promise<(access: Access) => boolean> {
  const [{ role }, { instanceAdmin }] = await Promise.all([
    api.workspace(undefined, { signal }),
    api.account(undefined, { signal }),
  ])
  const held = new Set(rolePermissions[role])
  return (access) => {
    if (access === 'public' || access === 'account') return true
    if (access === 'instance') return instanceAdmin
    // A session or a ticket is no key, and a peer is a machine.
    if (typeof access === 'string' || 'ticket' in access) return false
    return 'workspace' in access ? held.has(access.workspace) : held.has('servers.create')
  }
}
