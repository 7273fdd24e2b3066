import { randomBytes } from 'node:crypto'
import type { z } from 'zod'
import type { LinkedProvider } from '../../contract/api/identity-providers.ts'
import { AppError, conflict, forbidden, invalidRequest, notFound, unauthorized } from '../../contract/errors.ts'
import { displayName, Email } from '../../contract/fields.ts'
import type { RequestFacts } from '../../contract/operation.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secret.ts'
import { type Claims, type Providers, ProviderTrouble } from '../../openid/index.ts'
import type { Accounts, Challenge } from '../accounts/index.ts'
import { type Database, type IdentityProviderRow, isUniqueViolation, type Store } from '../db/index.ts'
import { browserCookie, browserOf } from './browser-cookie.ts'
import { type IdentityProviders, listOf } from './identity-providers.ts'
import { accountCharsMax } from './limits.ts'
import {
  anyIdentity,
  deleteIdentity,
  findIdentity,
  findProvider,
  insertIdentity,
  isEmailTaken,
  type LinkWithProvider,
  linksOf,
  listProviders,
  touchIdentity,
} from './store.ts'

type Link = z.input<typeof LinkedProvider>
type Asked = Pick<RequestFacts, 'header' | 'setHeader' | 'address' | 'userAgent'>
/** What a browser is sent to a provider for, and how `state` begins then: the page it comes back to tells by that what to do. */
const purposes = { 'provider-sign-in': 'in', 'provider-link': 'link' } as const
type Purpose = keyof typeof purposes

export interface ProviderSignInsOptions {
  database: Database
  clock: Clock
  log: Log
  accounts: Accounts
  identityProviders: IdentityProviders
  providers: Providers
  publicUrl(): string
  /** Whether browsers reach the panel by https. */
  secure: boolean
}

/**
 * Signing in at an OpenID provider (authorization code with PKCE), and linking accounts with who people are there:
 *
 *   a page ──begin──▶ the provider ──code and state──▶ the page of this provider ──answer──▶ a session, or a link
 *
 * What has begun is with the browser, sealed, in `state`; it is good once, for five minutes, and only together with a cookie that ties it
 * to the browser. Accounts are found by the provider's own name for the person (`sub`) alone: an address may change hands.
 */
export class ProviderSignIns {
  readonly #options: ProviderSignInsOptions

  constructor(options: ProviderSignInsOptions) {
    this.#options = options
  }

  async offered(): Promise<{ provider: string; name: string }[]> {
    const rows = await listProviders(this.#options.database.kysely)
    return rows.filter(({ enabled }) => enabled === 1).map(({ slug, name }) => ({ provider: slug, name }))
  }

  /** Where the browser has to go to sign in. Throws `unauthorized`, `not_found` and `conflict`. */
  begin(slug: string, next: string | undefined, request: Asked): Promise<string> {
    if (next !== undefined && !isOwnPath(next, this.#options.publicUrl()))
      throw invalidRequest('body.next', 'must be a path of this panel, such as /servers')
    return this.#begin('provider-sign-in', slug, request, (at) => ({ ...at, next: next ?? null }))
  }

  /** The same to link an account. */
  beginLink(slug: string, userId: string, request: Asked): Promise<string> {
    return this.#begin('provider-link', slug, request, (at) => ({ ...at, userId }))
  }

  /** Whose account it is, and the link that says so; made now where the provider may make accounts. */
  async signIn(
    slug: string,
    answer: string,
    request: Asked,
  ): Promise<{ userId: string; identity: string; next: string | null }> {
    const { database, clock, accounts } = this.#options
    const right = await accounts.attempts.begin(request.address, null)
    const { row, challenge, claims } = await this.#answered('provider-sign-in', slug, answer, request)
    right()
    const known = await findIdentity(database.kysely, row.id, claims.sub)
    const { next } = challenge.claims
    if (!known) return { ...(await this.#firstTime(row, claims)), next }
    const isGood = await database.transact(
      async (trx) =>
        (await isInUse(trx, row)) && touchIdentity(trx, known.id, { account: calledThere(claims), at: clock.now() }),
    )
    if (!isGood) {
      await accounts.refusedByProvider(known.user_id, request)
      throw startAgain(row.name)
    }
    return { userId: known.user_id, identity: known.id, next }
  }

  /** Links the account. Throws `forbidden`, `not_found` and `conflict`. */
  async link(slug: string, userId: string, answer: string, request: Asked): Promise<Link> {
    const { database, clock } = this.#options
    const { row, claims } = await this.#answered('provider-link', slug, answer, request, userId)
    try {
      await database.transact(async (trx) => {
        if (!(await isInUse(trx, row))) throw startAgain(row.name)
        const known = await findIdentity(trx, row.id, claims.sub)
        if (known && known.user_id !== userId)
          throw conflict(
            `Who you are at ${row.name} is linked with another account here. Unlink it there, or sign in at ${row.name} as somebody else.`,
          )
        const own = (await linksOf(trx, userId)).find(({ provider_id: id }) => id === row.id)
        if (own && own.subject !== claims.sub)
          throw conflict(`Your account is linked with somebody else at ${row.name} already. Unlink that first.`)
        if (own) return
        await insertIdentity(trx, {
          ...{ id: newId('lnk'), user_id: userId, provider_id: row.id, subject: claims.sub },
          ...{ account: calledThere(claims), created_at: clock.now(), last_used_at: null },
        })
      })
    } catch (error) {
      throw isUniqueViolation(error) ? conflict(`Your account was just linked with ${row.name}.`) : error
    }
    const made = (await this.links(userId)).find(({ provider }) => provider === slug)
    if (!made) throw startAgain(row.name)
    return made
  }

  async links(userId: string): Promise<Link[]> {
    return (await linksOf(this.#options.database.kysely, userId)).map(view)
  }

  /** Throws `not_found`, and `conflict` for the last way to sign in. */
  async unlink(slug: string, userId: string): Promise<void> {
    const { database, accounts } = this.#options
    await database.transact(async (trx) => {
      const link = (await linksOf(trx, userId)).find((one) => one.slug === slug)
      if (!link) throw notFound(`Link with ${slug}`)
      await deleteIdentity(trx, link.id)
      if (!(await accounts.standsAlone(trx, userId)) && !(await anyIdentity(trx, userId)))
        throw conflict(`${link.name} is the last way to sign in to the account. Set a password first.`)
    })
  }

  async #begin<P extends Purpose>(
    purpose: P,
    slug: string,
    request: Asked,
    claims: (at: AtProvider) => Challenge<P>['claims'],
  ): Promise<string> {
    const { accounts, identityProviders, providers, secure } = this.#options
    this.#needOwnPage(request)
    const row = await identityProviders.find(slug)
    if (row.enabled !== 1) throw notInUse(row.name)
    const browser = browserOf(request, secure) ?? randomBytes(32).toString('base64url')
    const [nonce, verifier] = [randomBytes(24).toString('base64url'), randomBytes(32).toString('base64url')]
    const { text } = accounts.challenges.issue(
      purpose,
      claims({ provider: row.id, browser: hashSecret(browser), nonce, verifier }),
    )
    const state = `${purposes[purpose]}.${text}`
    try {
      const url = await providers.begin(identityProviders.clientOf(row), identityProviders.redirectUri(slug), {
        ...{ state, nonce, verifier },
      })
      request.setHeader('Set-Cookie', browserCookie(browser, secure))
      return url
    } catch (error) {
      throw this.#failure(row, error)
    }
  }

  /** What the provider says of whoever came back with this answer, which is used up. */
  async #answered<P extends Purpose>(
    purpose: P,
    slug: string,
    answer: string,
    request: Asked,
    userId?: string,
  ): Promise<{ row: IdentityProviderRow; challenge: Challenge<P>; claims: Claims }> {
    const { database, accounts, identityProviders, providers, secure } = this.#options
    this.#needOwnPage(request)
    const row = await identityProviders.find(slug)
    const query = new URLSearchParams(answer)
    const [state = '', ...more] = query.getAll('state')
    const prefix = `${purposes[purpose]}.`
    const challenge =
      more.length === 0 && state.startsWith(prefix)
        ? accounts.challenges.read(purpose, state.slice(prefix.length))
        : null
    const browser = browserOf(request, secure)
    const begun: Partial<AtProvider & { userId: string }> = challenge?.claims ?? {}
    if (
      !challenge ||
      begun.provider !== row.id ||
      browser === null ||
      begun.browser !== hashSecret(browser) ||
      begun.userId !== userId
    )
      throw startAgain(row.name)
    if (row.enabled !== 1) throw notInUse(row.name)
    if (!(await database.transact((trx) => accounts.challenges.use(trx, challenge)))) throw startAgain(row.name)
    await accounts.challenges.forgetExpired()
    const back = new URL(identityProviders.redirectUri(slug))
    back.search = query.toString()
    const { nonce, verifier } = challenge.claims
    try {
      const claims = await providers.finish(
        identityProviders.clientOf(row),
        back,
        { state, nonce, verifier },
        wantedClaims,
      )
      if (!subject.test(claims.sub)) throw new Error('the subject is not 1 to 255 printable characters')
      return { row, challenge, claims }
    } catch (error) {
      throw this.#failure(row, error, query.get('error'))
    }
  }

  /** Somebody whom nobody here is linked with. */
  async #firstTime(row: IdentityProviderRow, claims: Claims): Promise<{ userId: string; identity: string }> {
    const { database, clock, accounts } = this.#options
    const { name } = row
    if (row.new_accounts === 'nobody')
      throw forbidden(
        `No account here is linked with who you are at ${name}. Sign in as usual and link it under Account, or ask whoever runs this panel for an invitation.`,
      )
    const email = verifiedEmail(claims)
    if (email === null)
      throw forbidden(
        `${name} has not verified your e-mail address, so no account is made of it. Verify it there, or ask whoever runs this panel for an invitation.`,
      )
    const mayJoin = (now: IdentityProviderRow): boolean =>
      now.new_accounts === 'anybody' ||
      (now.new_accounts === 'domains' && listOf(now.domains).includes(email.slice(email.lastIndexOf('@') + 1)))
    if (!mayJoin(row))
      throw forbidden(
        `Signing in with ${name} makes no account for ${email}: only some domains get one. Ask whoever runs this panel for an invitation.`,
      )
    const passwordHash = await accounts.unknowablePassword()
    try {
      return await database.transact(async (trx) => {
        const now = await findProvider(trx, row.slug)
        if (now?.id !== row.id || now.enabled !== 1 || !mayJoin(now)) throw startAgain(name)
        const known = await findIdentity(trx, row.id, claims.sub)
        if (known) return { userId: known.user_id, identity: known.id }
        if (await isEmailTaken(trx, email)) throw emailTaken(email, name)
        const userId = await accounts.createWithoutPassword(trx, { email, name: nameOf(claims, email), passwordHash })
        const identity = newId('lnk')
        await insertIdentity(trx, {
          ...{ id: identity, user_id: userId, provider_id: row.id, subject: claims.sub },
          ...{ account: calledThere(claims), created_at: clock.now(), last_used_at: clock.now() },
        })
        return { userId, identity }
      })
    } catch (error) {
      throw isUniqueViolation(error) ? emailTaken(email, name) : error
    }
  }

  /** A provider sends people back to the panel's own address alone: whoever is elsewhere would come back as somebody else's browser. */
  #needOwnPage(request: Asked): void {
    const { origin } = new URL(this.#options.publicUrl())
    const asked = request.header('origin')
    if (asked === undefined) throw unauthorized("Signing in with a provider works only on the panel's own pages")
    if (asked !== origin)
      throw conflict(
        `Providers send people back to ${origin}. Open the panel there to sign in with one, or have its public-url set.`,
      )
  }

  #failure(row: IdentityProviderRow, error: unknown, said: string | null = null): Error {
    if (error instanceof AppError) return error
    this.#options.log.info({ err: error, provider: row.slug }, 'a sign-in with a provider has failed')
    if (error instanceof ProviderTrouble)
      return conflict(`${row.name} does not answer at this moment. Try again in a minute, or sign in another way.`)
    if (said === 'access_denied')
      return unauthorized(
        `${row.name} did not let you in, or you did not agree there. Try again, or sign in another way.`,
      )
    return said !== null && /^[a-z_]{1,60}$/.test(said)
      ? unauthorized(`${row.name} refused: ${said}. Ask whoever runs this panel to look at how it is set up.`)
      : unauthorized(
          `What ${row.name} said is not good here. Begin again; if it stays so, ask whoever runs this panel: its log has the reason.`,
        )
  }
}

interface AtProvider {
  provider: string
  browser: string
  nonce: string
  verifier: string
}

/** Many providers say some of it only when they are asked for it. */
const wantedClaims = ['email', 'email_verified', 'name'] as const

/** As the specification has it (OpenID Connect Core §2). */
const subject = /^[\x20-\x7e]{1,255}$/

const startAgain = (name: string): Error =>
  unauthorized(
    `This way back from ${name} is not good: it took too long, was used already, or was begun elsewhere. Begin again.`,
  )
const notInUse = (name: string): Error =>
  conflict(`${name} is turned off for signing in here. Sign in another way, or ask whoever runs this panel.`)
const emailTaken = (email: string, name: string): Error =>
  conflict(
    `${email} has an account here already. Sign in to it as usual, then link ${name} under Account: an address alone does not prove whose it is.`,
  )

async function isInUse(trx: Store, { slug, id }: IdentityProviderRow): Promise<boolean> {
  const now = await findProvider(trx, slug)
  return now?.id === id && now.enabled === 1
}

/** `//elsewhere` and `/\elsewhere` are other sites. */
function isOwnPath(path: string, publicUrl: string): boolean {
  if (!/^\/(?![/\\])/.test(path) || !URL.canParse(path, publicUrl)) return false
  return new URL(path, publicUrl).origin === new URL(publicUrl).origin
}

/** Null where there is none, or the provider does not say that it is theirs. Some write it as text. */
function verifiedEmail({ email, email_verified: verified }: Claims): string | null {
  const { data } = Email.safeParse(email)
  return data !== undefined && (verified === true || verified === 'true') ? data : null
}

function nameOf({ name }: Claims, email: string): string {
  const { data } = displayName(80).safeParse(name)
  return data ?? email.slice(0, email.indexOf('@'))
}

/** For people to recognise it by; it decides nothing. */
function calledThere({ email, name, sub }: Claims): string | null {
  for (const one of [email, name, sub]) {
    const { data } = displayName(accountCharsMax).safeParse(one)
    if (data !== undefined) return data
  }
  return null
}

const view = (link: LinkWithProvider): Link => ({
  ...{ provider: link.slug, name: link.name, enabled: link.enabled === 1, account: link.account },
  linkedAt: isoTime(link.created_at),
  lastUsedAt: link.last_used_at === null ? null : isoTime(link.last_used_at),
})
