import { sql } from 'kysely'
import type { Store } from '../db/index.ts'

export interface ListedUser {
  id: string
  email: string
  name: string
  created_at: number
  instance_admin: number
  second_factor: number
  passkeys: number
}

/** By e-mail address, those after `cursor`; `search`: a part of the address or the name. */
export async function listUsers(
  store: Store,
  { search, cursor, limit }: { search?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<ListedUser[]> {
  const part = search === undefined ? undefined : `%${search.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
  const rows = await store
    .selectFrom('users')
    .select(['id', 'email', 'name', 'created_at', 'instance_admin'])
    .select(({ selectFrom, fn }) => [
      selectFrom('two_factor')
        .select(fn.countAll().as('count'))
        .whereRef('two_factor.user_id', '=', 'users.id')
        .where('enabled_at', 'is not', null)
        .as('second_factor'),
      selectFrom('passkeys')
        .select(fn.countAll().as('count'))
        .whereRef('passkeys.user_id', '=', 'users.id')
        .as('passkeys'),
    ])
    .$if(cursor !== undefined, (query) => query.where('email', '>', cursor ?? ''))
    .$if(part !== undefined, (query) =>
      query.where(({ or, fn }) =>
        or([
          sql<boolean>`${fn<string>('lower', ['email'])} like ${part} escape '\\'`,
          sql<boolean>`${fn<string>('lower', ['name'])} like ${part} escape '\\'`,
        ]),
      ),
    )
    .orderBy('email')
    .limit(limit)
    .execute()
  return rows.map(({ second_factor, passkeys, ...row }) => ({
    ...row,
    second_factor: Number(second_factor),
    passkeys: Number(passkeys),
  }))
}

/** The workspaces of these users, by user. */
export async function workspacesOf(
  store: Store,
  userIds: readonly string[],
): Promise<Map<string, { slug: string; role: string }[]>> {
  const found = new Map<string, { slug: string; role: string }[]>()
  if (userIds.length === 0) return found
  const rows = await store
    .selectFrom('members')
    .innerJoin('workspaces', 'workspaces.id', 'members.workspace_id')
    .select(['members.user_id', 'members.role', 'workspaces.slug'])
    .where('members.user_id', 'in', userIds)
    .orderBy('workspaces.slug')
    .execute()
  for (const { user_id: userId, slug, role } of rows) found.set(userId, [...(found.get(userId) ?? []), { slug, role }])
  return found
}
