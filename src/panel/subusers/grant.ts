import { forbidden } from '../../contract/errors.ts'
import { type ServerPermission, serverPermissions } from '../../contract/permissions.ts'

/**
 * Nobody gives or takes away what they do not hold themselves. Throws `forbidden` that names what is missing; what stays as
 * it was is nobody's doing and always passes.
 */
export function mustHold(
  held: ReadonlySet<ServerPermission>,
  before: readonly ServerPermission[],
  after: readonly ServerPermission[],
): void {
  const changed = serverPermissions.filter((permission) => before.includes(permission) !== after.includes(permission))
  const missing = changed.filter((permission) => !held.has(permission))
  if (missing.length > 0)
    throw forbidden(`You can only give and take away what you hold yourself, which ${missing.join(', ')} is not.`)
}

/** Each once, in the contract's order. */
export const ordered = (permissions: readonly ServerPermission[]): ServerPermission[] =>
  serverPermissions.filter((permission) => permissions.includes(permission))
