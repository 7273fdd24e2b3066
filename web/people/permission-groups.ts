import { type ServerPermission, serverPermissions } from '../../src/contract/permissions.ts'

/** The noun of a permission: `files` of `files.read`. */
export type PermissionGroup = ServerPermission extends `${infer Noun}.${string}` ? Noun : never

/** The permissions by what they are about, in the order in which the contract declares them. */
export const permissionGroups: readonly { group: PermissionGroup; permissions: readonly ServerPermission[] }[] = [
  ...Map.groupBy(serverPermissions, (permission) => permission.split('.', 1)[0] as PermissionGroup),
].map(([group, permissions]) => ({ group, permissions }))
