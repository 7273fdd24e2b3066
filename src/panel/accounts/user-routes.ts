import { type userOperations, usersPageMax } from '../../contract/api/users.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import type { Accounts } from './accounts.ts'
import { listUsers, workspacesOf } from './user-store.ts'

/** What the people who run the installation see and mend of accounts. */
export const userRoutes = (
  accounts: Accounts,
  { kysely }: Database,
): Handlers<typeof userOperations, PanelContexts> => ({
  async users({ query: { search, cursor } }) {
    const rows = await listUsers(kysely, { search: search || undefined, cursor, limit: usersPageMax + 1 })
    const page = rows.slice(0, usersPageMax)
    const workspaces = await workspacesOf(
      kysely,
      page.map(({ id }) => id),
    )
    return {
      users: page.map((row) => ({
        ...{ id: row.id, email: row.email, name: row.name, createdAt: isoTime(row.created_at) },
        ...{ instanceAdmin: row.instance_admin === 1, secondFactor: row.second_factor > 0, passkeys: row.passkeys },
        workspaces: workspaces.get(row.id) ?? [],
      })),
      nextCursor: rows.length > usersPageMax ? (page.at(-1)?.email ?? null) : null,
    }
  },
  async resetSecondFactor({ params: { user } }) {
    const known = await accounts.byId(user)
    if (!known) throw notFound(`User ${user}`)
    if (!(await accounts.secondFactor.reset(user)))
      throw conflict(`${known.email} has no second factor: the password is enough already`)
    await accounts.sessions.endOthers(user, null)
    return { id: user, secondFactor: false }
  },
})
