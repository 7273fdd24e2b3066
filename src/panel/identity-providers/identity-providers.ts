import { isIP } from 'node:net'
import { z } from 'zod'
import {
  type IdentityProvider,
  type identityProviderOperations,
  providerReturnPath,
} from '../../contract/api/identity-providers.ts'
import { conflict, invalidRequest, notFound } from '../../contract/errors.ts'
import { isPublicAddress } from '../../http/index.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import { type OpenIdClient, type ProviderFacts, type Providers, ProviderTrouble } from '../../openid/index.ts'
import { type Database, type IdentityProviderRow, isUniqueViolation } from '../db/index.ts'
import { providersMax } from './limits.ts'
import {
  countLinks,
  countStranded,
  deleteProvider,
  findProvider,
  insertProvider,
  listProviders,
  setProvider,
} from './store.ts'

type View = z.input<typeof IdentityProvider>
type New = z.output<typeof identityProviderOperations.createIdentityProvider.body>
type Change = z.output<typeof identityProviderOperations.updateIdentityProvider.body>

export interface IdentityProvidersOptions {
  database: Database
  clock: Clock
  sealer: Sealer
  providers: Providers
  publicUrl(): string
}

/** The OpenID providers that people sign in with, as administrators set them up. */
export class IdentityProviders {
  readonly #options: IdentityProvidersOptions

  constructor(options: IdentityProvidersOptions) {
    this.#options = options
  }

  async all(): Promise<View[]> {
    const { kysely } = this.#options.database
    const accounts = await countLinks(kysely)
    return (await listProviders(kysely)).map((row) => this.#view(row, accounts.get(row.id) ?? 0))
  }

  /** Throws `conflict` where the short name is taken, there are too many, or the provider does not answer as one. */
  async create({ clientSecret, scopes, domains, ...body }: New): Promise<View> {
    const { database, clock, sealer } = this.#options
    needSensible({ ...body, domains })
    needEncrypted(body.issuer)
    await this.#needRoom(body.slug)
    const id = newId('idp')
    const row: IdentityProviderRow = {
      ...{ id, slug: body.slug, name: body.name, issuer: body.issuer, client_id: body.clientId },
      client_secret: clientSecret ? sealer.seal(new Secret(clientSecret), sealPurpose(id)) : null,
      scopes: JSON.stringify(scopes),
      ...{ new_accounts: body.newAccounts, domains: JSON.stringify(domains) },
      ...{ enabled: body.enabled ? 1 : 0, created_at: clock.now() },
    }
    await this.#look(row)
    try {
      await insertProvider(database.kysely, row)
    } catch (error) {
      throw isUniqueViolation(error) ? taken(body.slug) : error
    }
    return this.#view(row, 0)
  }

  /** Throws `not_found`, and `conflict` where it would not answer to the new client any more. */
  async update(slug: string, { clientId, clientSecret, scopes, newAccounts, domains, ...body }: Change): Promise<View> {
    const { database, sealer } = this.#options
    const known = await this.find(slug)
    needSensible({ newAccounts: newAccounts ?? known.new_accounts, domains: domains ?? listOf(known.domains) })
    const row = await setProvider(database.kysely, known.id, {
      name: body.name ?? known.name,
      ...(body.enabled !== undefined && { enabled: body.enabled ? 1 : 0 }),
      ...(clientId !== undefined && { client_id: clientId }),
      ...(clientSecret !== undefined && {
        client_secret: clientSecret && sealer.seal(new Secret(clientSecret), sealPurpose(known.id)),
      }),
      ...(scopes && { scopes: JSON.stringify(scopes) }),
      ...(newAccounts && { new_accounts: newAccounts }),
      ...(domains && { domains: JSON.stringify(domains) }),
    })
    if (!row) throw gone(slug)
    return this.#view(row, (await countLinks(database.kysely)).get(row.id) ?? 0)
  }

  /** Throws `not_found`, and `conflict` with the reason where it does not answer as a provider. */
  async test(slug: string): Promise<ProviderFacts> {
    return this.#look(await this.find(slug))
  }

  /** Throws `not_found`, and `conflict` while somebody could not sign in any more. */
  async remove(slug: string): Promise<void> {
    await this.#options.database.transact(async (trx) => {
      const row = await findProvider(trx, slug)
      if (!row) throw gone(slug)
      const stranded = await countStranded(trx, row.id)
      if (stranded > 0)
        throw conflict(
          `${stranded === 1 ? 'One account has' : `${stranded} accounts have`} no other way to sign in than ${row.name}. Disable it instead, or have them set a password first.`,
        )
      await deleteProvider(trx, row.id)
    })
  }

  /** Throws `not_found`. */
  async find(slug: string): Promise<IdentityProviderRow> {
    const row = await findProvider(this.#options.database.kysely, slug)
    if (!row) throw gone(slug)
    return row
  }

  /** Where this provider sends people back to. */
  redirectUri(slug: string): string {
    return new URL(providerReturnPath(slug), this.#options.publicUrl()).href
  }

  /** What the provider knows this panel as. */
  clientOf(row: IdentityProviderRow): OpenIdClient {
    const { sealer } = this.#options
    return {
      ...{ issuer: row.issuer, clientId: row.client_id, scopes: listOf(row.scopes) },
      clientSecret: row.client_secret === null ? null : sealer.open(row.client_secret, sealPurpose(row.id)).reveal(),
    }
  }

  async #needRoom(slug: string): Promise<void> {
    const rows = await listProviders(this.#options.database.kysely)
    if (rows.some((row) => row.slug === slug)) throw taken(slug)
    if (rows.length >= providersMax)
      throw conflict(`There are ${providersMax} identity providers, which is the most. Delete one first.`)
  }

  async #look(row: IdentityProviderRow): Promise<ProviderFacts> {
    try {
      return await this.#options.providers.look(this.clientOf(row))
    } catch (error) {
      if (!(error instanceof ProviderTrouble)) throw error
      throw conflict(
        `${row.issuer} does not answer as an OpenID provider: ${error.message}. Compare the issuer with what it says of itself under /.well-known/openid-configuration; for one on a private network set sign-in-networks.`,
      )
    }
  }

  #view(row: IdentityProviderRow, accounts: number): View {
    return {
      ...{ slug: row.slug, issuer: row.issuer, name: row.name, clientId: row.client_id },
      scopes: listOf(row.scopes),
      ...{ newAccounts: row.new_accounts, domains: listOf(row.domains), enabled: row.enabled === 1 },
      confidential: row.client_secret !== null,
      ...{ redirectUri: this.redirectUri(row.slug), accounts, createdAt: isoTime(row.created_at) },
    }
  }
}

/** A list of texts as it is kept. */
export const listOf = (json: string): string[] => z.array(z.string()).parse(JSON.parse(json))

/** What the secret of a provider is sealed for: text that is moved to another one does not open there. */
const sealPurpose = (id: string): string => `identity provider ${id}`

const gone = (slug: string): Error => notFound(`Identity provider ${slug}`)
const taken = (slug: string): Error =>
  conflict(`There is an identity provider called ${slug} already. Choose another short name.`)

function needSensible({ newAccounts, domains }: Pick<New, 'newAccounts' | 'domains'>): void {
  if (newAccounts === 'domains' && domains.length === 0)
    throw invalidRequest('body.domains', 'name at least one domain whose people get an account')
}

/** What a provider says is believed, so nobody on the way may change it: without TLS only where the way is one's own network. */
function needEncrypted(issuer: string): void {
  const { protocol, hostname } = new URL(issuer)
  const host = hostname.replace(/^\[|\]$/g, '')
  const isOwn = isIP(host) ? !isPublicAddress(host) : !host.includes('.')
  if (protocol === 'http:' && !isOwn)
    throw invalidRequest('body.issuer', 'must begin with https://: what it says of people crosses the internet')
}
