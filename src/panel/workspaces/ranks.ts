import type { Role } from '../../contract/permissions.ts'

const rank: Record<Role, number> = { owner: 3, admin: 2, member: 1 }

/** Whether somebody with role `actor` may give, change or take away `role`: nobody reaches above themselves. */
export const reaches = (actor: Role, role: Role): boolean => rank[actor] >= rank[role]
