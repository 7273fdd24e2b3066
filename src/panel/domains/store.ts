import type { Updateable } from 'kysely'
import type { Due, Own } from '../claims/index.ts'
import type { DomainCertificateRow, DomainRow, Store, TunnelRow } from '../db/index.ts'
import { below, isWildcard, overlap } from './name.ts'

/** A domain with what is shown of its tunnel, its workspace and its certificate. */
export interface DomainWithAll {
  domain: DomainRow
  tunnel: Pick<TunnelRow, 'id' | 'name' | 'kind' | 'entrance'>
  slug: string
  certificate: DomainCertificateRow | null
}

export const insertDomain = (trx: Store, row: DomainRow): Promise<unknown> =>
  trx.insertInto('domains').values(row).execute()

export const removeDomain = async (trx: Store, id: string): Promise<void> => {
  await trx.deleteFrom('domain_certificates').where('domain_id', '=', id).execute()
  await trx.deleteFrom('domains').where('id', '=', id).execute()
}

export const setDomain = (store: Store, id: string, change: Updateable<DomainRow>): Promise<unknown> =>
  store.updateTable('domains').set(change).where('id', '=', id).execute()

export const domainById = (store: Store, id: string): Promise<DomainRow | undefined> =>
  store.selectFrom('domains').selectAll().where('id', '=', id).executeTakeFirst()

export const domainOf = (store: Store, workspaceId: string, id: string): Promise<DomainRow | undefined> =>
  store
    .selectFrom('domains')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('id', '=', id)
    .executeTakeFirst()

/** Oldest first. */
export async function domainsWithAll(
  store: Store,
  of: { workspaceId: string } | { id: string },
): Promise<DomainWithAll[]> {
  const all = store.selectFrom('domains').selectAll().orderBy('created_at').orderBy('id')
  const rows = await ('id' in of
    ? all.where('id', '=', of.id)
    : all.where('workspace_id', '=', of.workspaceId)
  ).execute()
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  const [certificates, tunnels, workspaces] = await Promise.all([
    store.selectFrom('domain_certificates').selectAll().where('domain_id', 'in', ids).execute(),
    store
      .selectFrom('tunnels')
      .select(['id', 'name', 'kind', 'entrance'])
      .where('id', 'in', [...new Set(rows.map((row) => row.tunnel_id))])
      .execute(),
    store
      .selectFrom('workspaces')
      .select(['id', 'slug'])
      .where('id', 'in', [...new Set(rows.map((row) => row.workspace_id))])
      .execute(),
  ])
  return rows.flatMap((domain) => {
    const tunnel = tunnels.find(({ id }) => id === domain.tunnel_id)
    const slug = workspaces.find(({ id }) => id === domain.workspace_id)?.slug
    const certificate = certificates.find((one) => one.domain_id === domain.id) ?? null
    return tunnel && slug !== undefined ? [{ domain, tunnel, slug, certificate }] : []
  })
}

export const countDomains = (store: Store, workspaceId: string): Promise<number> =>
  counted(
    store
      .selectFrom('domains')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirstOrThrow(),
  )

export const countOnTunnel = (store: Store, tunnelId: string): Promise<number> =>
  counted(
    store
      .selectFrom('domains')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('tunnel_id', '=', tunnelId)
      .executeTakeFirstOrThrow(),
  )

/** Domains that other workspaces have and whose visitors this name would share. */
export async function rivalsOf(store: Store, { workspace_id, name }: DomainRow): Promise<DomainRow[]> {
  const others = store
    .selectFrom('domains')
    .selectAll()
    .where('held_name', 'is not', null)
    .where('workspace_id', '!=', workspace_id)
  const rows = await (isWildcard(name)
    ? others.where('name', 'like', `%.${below(name)}`)
    : others.where('name', 'in', [name, `*${name.slice(name.indexOf('.'))}`])
  ).execute()
  return rows.filter((row) => overlap(row.name, name))
}

/** The names that lead to a tunnel now. */
export async function hostsOfTunnel(store: Store, tunnelId: string): Promise<string[]> {
  const rows = await store
    .selectFrom('domains')
    .select('name')
    .where('tunnel_id', '=', tunnelId)
    .where('held_name', 'is not', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(({ name }) => name)
}

/** The certificates of the domains that lead to a tunnel now. */
export const certificatesOfTunnel = (
  store: Store,
  tunnelId: string,
): Promise<(Pick<DomainCertificateRow, 'domain_id' | 'certificate' | 'key'> & { name: string })[]> =>
  store
    .selectFrom('domain_certificates')
    .innerJoin('domains', 'domains.id', 'domain_certificates.domain_id')
    .select([
      'domain_certificates.domain_id',
      'domain_certificates.certificate',
      'domain_certificates.key',
      'domains.name',
    ])
    .where('domains.tunnel_id', '=', tunnelId)
    .where('domains.held_name', 'is not', null)
    .where('domain_certificates.certificate', 'is not', null)
    .orderBy('domains.created_at')
    .orderBy('domains.id')
    .execute()

export const tunnelKind = async (store: Store, id: string): Promise<TunnelRow['kind'] | undefined> =>
  (await store.selectFrom('tunnels').select('kind').where('id', '=', id).executeTakeFirst())?.kind

/** Leaves the domains that something is due for. */
export const dueDomains =
  (now: number): Due<'domains'> =>
  (domains) =>
    domains.where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('check_at', '<=', now),
        exists(
          selectFrom('domain_certificates')
            .select('domain_certificates.domain_id')
            .whereRef('domain_certificates.domain_id', '=', 'domains.id')
            .where('domain_certificates.next_at', '<=', now),
        ),
      ]),
    )

export const certificateOf = (store: Store, domainId: string): Promise<DomainCertificateRow | undefined> =>
  store.selectFrom('domain_certificates').selectAll().where('domain_id', '=', domainId).executeTakeFirst()

/** The domain is to have a certificate, as soon as may be. Does nothing where that is known. */
export const wantCertificate = (store: Store, domainId: string, now: number): Promise<unknown> =>
  store
    .insertInto('domain_certificates')
    .values({
      domain_id: domainId,
      ...{ certificate: null, key: null, expires_at: null, renew_at: null },
      ...{ order_url: null, order_key: null, order_began_at: null },
      ...{ failures: 0, problem: null, reason: null, detail: null, next_at: now },
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()

/** Changes the certificate of a domain that is still this panel's; false where it is not, or is gone. */
export async function setCertificate(
  store: Store,
  { id, panel }: Own,
  change: Updateable<DomainCertificateRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await store
    .updateTable('domain_certificates')
    .set(change)
    .where('domain_id', '=', id)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('domains').select('domains.id').where('domains.id', '=', id).where('domains.panel', '=', panel),
      ),
    )
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Domains without a certificate, or with one that is to be renewed, that wait for their tunnel to be open; some at a time, by their id. */
export const waitingForTunnels = (
  store: Store,
  page: { after: string; most: number },
): Promise<{ id: string; tunnel_id: string }[]> =>
  store
    .selectFrom('domain_certificates')
    .innerJoin('domains', 'domains.id', 'domain_certificates.domain_id')
    .select(['domains.id', 'domains.tunnel_id'])
    .where('domains.held_name', 'is not', null)
    .where('domain_certificates.next_at', 'is', null)
    .where('domains.id', '>', page.after)
    .orderBy('domains.id')
    .limit(page.most)
    .execute()

export const wakeCertificates = (store: Store, ids: readonly string[], now: number): Promise<unknown> =>
  store.updateTable('domain_certificates').set({ next_at: now }).where('domain_id', 'in', ids).execute()

/** Orders since then, of one workspace or of all. */
export const countOrders = (store: Store, since: number, workspaceId?: string): Promise<number> => {
  const query = store
    .selectFrom('certificate_orders')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('at', '>', since)
  return counted(
    (workspaceId === undefined ? query : query.where('workspace_id', '=', workspaceId)).executeTakeFirstOrThrow(),
  )
}

export const insertOrder = (
  store: Store,
  row: { id: string; workspace_id: string; name: string; at: number },
): Promise<unknown> => store.insertInto('certificate_orders').values(row).execute()

export const removeOrders = (store: Store, before: number): Promise<unknown> =>
  store.deleteFrom('certificate_orders').where('at', '<', before).execute()

/** The account with an authority; of two panels that make one at the same moment both get the same. */
export async function accountOf(
  store: Store,
  directory: string,
  fresh: { key: string; created_at: number },
): Promise<{ key: string; url: string | null }> {
  await store
    .insertInto('acme_accounts')
    .values({ directory, ...fresh, url: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return store
    .selectFrom('acme_accounts')
    .select(['key', 'url'])
    .where('directory', '=', directory)
    .executeTakeFirstOrThrow()
}

export const setAccountUrl = (store: Store, directory: string, url: string | null): Promise<unknown> =>
  store.updateTable('acme_accounts').set({ url }).where('directory', '=', directory).execute()

/** Addresses of the owners of a workspace. */
export async function ownersOf(store: Store, workspaceId: string, most: number): Promise<string[]> {
  const rows = await store
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select('users.email')
    .where('members.workspace_id', '=', workspaceId)
    .where('members.role', '=', 'owner')
    .limit(most)
    .execute()
  return rows.map(({ email }) => email)
}

async function counted(row: Promise<{ count: number }>): Promise<number> {
  return Number((await row).count)
}
