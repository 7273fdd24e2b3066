import type { Updateable } from 'kysely'
import type { IdentityProviderRow, LinkedIdentityRow, Store } from '../db/index.ts'

export type LinkWithProvider = LinkedIdentityRow & { slug: string; name: string; enabled: number }

/** In the order in which they were added. */
export const listProviders = (store: Store): Promise<IdentityProviderRow[]> =>
  store.selectFrom('identity_providers').selectAll().orderBy('created_at').orderBy('id').execute()

export const findProvider = (store: Store, slug: string): Promise<IdentityProviderRow | undefined> =>
  store.selectFrom('identity_providers').selectAll().where('slug', '=', slug).executeTakeFirst()

export const insertProvider = (store: Store, row: IdentityProviderRow): Promise<unknown> =>
  store.insertInto('identity_providers').values(row).execute()

/** Undefined where it is gone. */
export const setProvider = (
  store: Store,
  id: string,
  change: Updateable<IdentityProviderRow>,
): Promise<IdentityProviderRow | undefined> =>
  store.updateTable('identity_providers').set(change).where('id', '=', id).returningAll().executeTakeFirst()

export const deleteProvider = (store: Store, id: string): Promise<unknown> =>
  store.deleteFrom('identity_providers').where('id', '=', id).execute()

/** How many accounts are linked to each provider, by its id. */
export async function countLinks(store: Store): Promise<Map<string, number>> {
  const rows = await store
    .selectFrom('linked_identities')
    .select(({ fn }) => ['provider_id', fn.countAll().as('count')])
    .groupBy('provider_id')
    .execute()
  return new Map(rows.map((row) => [row.provider_id, Number(row.count)]))
}

/** Accounts that could not sign in any more without this provider. */
export async function countStranded(store: Store, providerId: string): Promise<number> {
  const { count } = await store
    .selectFrom('linked_identities as link')
    .innerJoin('users', 'users.id', 'link.user_id')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('link.provider_id', '=', providerId)
    .where('users.has_password', '=', 0)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('passkeys').select('passkeys.id').whereRef('passkeys.user_id', '=', 'link.user_id'))),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('linked_identities as other')
            .select('other.id')
            .whereRef('other.user_id', '=', 'link.user_id')
            .where('other.provider_id', '<>', providerId),
        ),
      ),
    )
    .executeTakeFirstOrThrow()
  return Number(count)
}

export const findIdentity = (
  store: Store,
  providerId: string,
  subject: string,
): Promise<LinkedIdentityRow | undefined> =>
  store
    .selectFrom('linked_identities')
    .selectAll()
    .where('provider_id', '=', providerId)
    .where('subject', '=', subject)
    .executeTakeFirst()

export const insertIdentity = (store: Store, row: LinkedIdentityRow): Promise<unknown> =>
  store.insertInto('linked_identities').values(row).execute()

/** Notes a use; false where the link is gone. */
export async function touchIdentity(
  store: Store,
  id: string,
  use: { account: string | null; at: number },
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('linked_identities')
    .set({ account: use.account, last_used_at: use.at })
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** What the account is linked to, by when. */
export const linksOf = (store: Store, userId: string): Promise<LinkWithProvider[]> =>
  store
    .selectFrom('linked_identities')
    .innerJoin('identity_providers', 'identity_providers.id', 'linked_identities.provider_id')
    .selectAll('linked_identities')
    .select(['identity_providers.slug', 'identity_providers.name', 'identity_providers.enabled'])
    .where('user_id', '=', userId)
    .orderBy('linked_identities.created_at')
    .orderBy('linked_identities.id')
    .execute()

export const deleteIdentity = (store: Store, id: string): Promise<unknown> =>
  store.deleteFrom('linked_identities').where('id', '=', id).execute()

/** Whether the account can sign in with some provider now. */
export async function anyIdentity(store: Store, userId: string): Promise<boolean> {
  return (await linksOf(store, userId)).some(({ enabled }) => enabled === 1)
}

/** Whether this link of the account is still there, and its provider is in use. */
export async function hasIdentity(store: Store, userId: string, id: string): Promise<boolean> {
  return (await linksOf(store, userId)).some((link) => link.id === id && link.enabled === 1)
}

export async function isEmailTaken(store: Store, email: string): Promise<boolean> {
  return (await store.selectFrom('users').select('id').where('email', '=', email).executeTakeFirst()) !== undefined
}
