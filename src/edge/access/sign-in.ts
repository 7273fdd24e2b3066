import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { type GrantedOidcRule, signInPath, signOutPath } from '../../contract/access-rules.ts'
import { hashSecret } from '../../lib/secret.ts'
import { type Providers, ProviderTrouble } from '../../openid/index.ts'
import { cookieOf, valuesOf } from './fields.ts'
import { page } from './pages.ts'
import { letsIn, Person, personOf } from './person.ts'
import { Seal, sealedCharsMax } from './sealed.ts'
import { addressOf, answered, type JudgedRequest, refused, type Verdict } from './verdict.ts'

export interface SignInOptions {
  tunnelId: string
  rule: GrantedOidcRule
  providers: Pick<Providers, 'begin' | 'finish'>
  /** Sessions that somebody has ended before their time. */
  ended: EndedSessions
  now(): number
  /** What went wrong between the edge and a provider, for the log. */
  troubled(error: unknown): void
}

/**
 * Signing in at an OpenID provider (authorization code with PKCE), on a tunnel's own host:
 *
 *   a page ──no session──▶ the provider ──code──▶ signInPath ──person of the rule──▶ a session, and back to the page
 *
 * All that the edge must remember is with the visitor, sealed: who they are in a cookie, and what has begun in `state`, which is good only
 * together with a second cookie that ties it to the browser.
 */
export class SignIn {
  readonly rule: GrantedOidcRule
  readonly #options: SignInOptions
  readonly #sessions: Seal
  readonly #states: Seal
  readonly #mark: string

  constructor(options: SignInOptions) {
    this.rule = options.rule
    this.#options = options
    this.#sessions = new Seal(options.rule.key, 'session')
    this.#states = new Seal(options.rule.key, 'sign-in')
    this.#mark = hashSecret(options.rule.key).slice(0, 16)
  }

  /** Who comes; null for whoever has no session that is good here and now. */
  personOf({ head, scheme }: JudgedRequest): Person | null {
    const sealed = cookieOf(head.fields, cookieName('session', scheme))
    if (sealed === undefined) return null
    const { data: person } = Person.safeParse(this.#sessions.open(sealed, this.#place(head.host)))
    return person && this.isGood(person) ? person : null
  }

  /** Whether somebody who has signed in may come in at this moment. */
  isGood(person: Person): boolean {
    const { now, ended } = this.#options
    return person.mark === this.#mark && person.until > now() && letsIn(this.rule, person) && !ended.has(person.id)
  }

  /** Answers what is the edge's own; null for everything else. */
  own(request: JudgedRequest): Promise<Verdict> | Verdict | null {
    const [path] = request.head.target.split('?', 1)
    if (path === signInPath) return this.#finish(request)
    if (path === signOutPath) return this.#signOut(request)
    return null
  }

  /** Sends a browser to the provider; others are told that they would have to sign in. */
  async begin(request: JudgedRequest): Promise<Verdict> {
    const { head, scheme } = request
    if (!isNavigation(request)) return refused({ code: 'sign_in_needed', host: head.authority, challenge: null })
    const { providers, now, troubled } = this.#options
    const known = cookieOf(head.fields, cookieName('browser', scheme))
    const browser = known !== undefined && /^[\w-]{43}$/.test(known) ? known : randomBytes(32).toString('base64url')
    const to = head.target.length > targetCharsMax || isOwn(head.target) ? '/' : head.target
    const begun: Begun = {
      browser,
      to,
      nonce: randomBytes(24).toString('base64url'),
      verifier: randomBytes(32).toString('base64url'),
      until: now() + signInMs,
    }
    const state = this.#states.close(begun, this.#place(head.host))
    try {
      const url = await providers.begin(this.rule, this.#redirectUri(request), { ...begun, state })
      return answered(302, [
        ['Location', url],
        ['Set-Cookie', cookie('browser', browser, scheme, signInMs / 1000)],
      ])
    } catch (error) {
      troubled(error)
      return refused({ code: 'sign_in_unavailable', host: head.authority })
    }
  }

  async #finish(request: JudgedRequest): Promise<Verdict> {
    const { head, scheme } = request
    const { providers, now, troubled } = this.#options
    const failed = refused({ code: 'sign_in_failed', host: head.authority })
    if (head.method !== 'GET') return failed
    const back = new URL(`${scheme}://${head.authority}${head.target}`)
    const states = back.searchParams.getAll('state')
    const [state = ''] = states
    const { data: begun } = Begun.safeParse(this.#states.open(state, this.#place(head.host)))
    const browser = cookieOf(head.fields, cookieName('browser', scheme))
    // It may come twice, late, or from somebody else's browser: then whoever it is signs in once more.
    if (!begun || states.length !== 1 || begun.until <= now() || browser !== begun.browser) return failed
    let person: Person
    try {
      // Many providers say some of it only when they are asked for it: the address, and what the rule asks for.
      const wanted = ['email', ...Object.keys(this.rule.claims)]
      const claims = await providers.finish(this.rule, back, { ...begun, state }, wanted)
      person = personOf(this.rule, claims, {
        id: randomBytes(12).toString('base64url'),
        mark: this.#mark,
        until: now() + Math.round(this.rule.sessionHours * 3_600_000),
      })
    } catch (error) {
      troubled(error)
      return error instanceof ProviderTrouble ? refused({ code: 'sign_in_unavailable', host: head.authority }) : failed
    }
    if (!letsIn(this.rule, person)) return refused({ code: 'not_invited', host: head.authority })
    const session = this.#sessions.close(person, this.#place(head.host))
    if (session.length > sealedCharsMax) {
      troubled(new Error('what the provider says of this person does not fit into a cookie'))
      return failed
    }
    return answered(302, [
      ['Location', addressOf(request, begun.to)],
      ['Set-Cookie', cookie('session', session, scheme, Math.ceil(this.rule.sessionHours * 3600))],
    ])
  }

  #signOut(request: JudgedRequest): Verdict {
    const { head, scheme } = request
    const person = this.personOf(request)
    // A page elsewhere must not sign people out: what browsers send along with such a request gives it away.
    const crossed = valuesOf(head.fields, 'sec-fetch-site').includes('cross-site')
    if (crossed || (head.method !== 'GET' && head.method !== 'POST'))
      return refused({ code: 'request_invalid', status: 400, reason: 'signing out is done from the site itself' })
    if (person) this.#options.ended.add(person.id, person.until)
    return answered(
      200,
      [['Set-Cookie', cookie('session', '', scheme, 0)]],
      page({
        title: 'Signed out',
        message: `You are signed out of ${head.authority}. Your provider may still know you: close the browser where others use it too.`,
        link: { href: '/', text: 'Sign in again' },
      }),
    )
  }

  #redirectUri = ({ head, scheme }: JudgedRequest): string => `${scheme}://${head.authority}${signInPath}`

  /** Where what is sealed is good. */
  #place = (host: string): string => `${this.#options.tunnelId} ${host}`
}

/** Sessions that were ended before their time, on this edge. Bounded: the one that would end first is forgotten first. */
export class EndedSessions {
  readonly #until = new Map<string, number>()
  readonly #heard = new Set<(id: string) => void>()

  has(id: string): boolean {
    return this.#until.has(id)
  }

  add(id: string, until: number): void {
    this.#until.set(id, until)
    if (this.#until.size > endedMax) {
      const [soonest] = [...this.#until].toSorted(([, left], [, right]) => left - right)
      if (soonest) this.#until.delete(soonest[0])
    }
    for (const hear of this.#heard) hear(id)
  }

  /** Calls for each that ends from now on, until the returned function is called. */
  onEnd(hear: (id: string) => void): () => void {
    this.#heard.add(hear)
    return () => this.#heard.delete(hear)
  }
}

/** Whether a browser goes to a page, as opposed to a script, an image, a program or a socket that asks for something. */
export function isNavigation({ head, grpc }: Pick<JudgedRequest, 'head' | 'grpc'>): boolean {
  if (head.method !== 'GET' || head.upgrade || grpc || !head.accept.includes('text/html')) return false
  return valuesOf(head.fields, 'sec-fetch-mode').every((mode) => mode === 'navigate')
}

/** The edge's own cookies: the service does not get them. */
export const isOwnCookie = (name: string): boolean => /^(?:__Host-)?pharos-(?:session|browser|warned)$/.test(name)

/** Of a host alone where TLS makes that possible: no sibling's page can set it then. */
export const cookieName = (what: 'session' | 'browser' | 'warned', scheme: 'http' | 'https'): string =>
  `${scheme === 'https' ? '__Host-' : ''}pharos-${what}`

/** @param seconds how long it is kept; 0 removes it. */
export const cookie = (
  what: 'session' | 'browser' | 'warned',
  value: string,
  scheme: 'http' | 'https',
  seconds: number,
): string =>
  `${cookieName(what, scheme)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${scheme === 'https' ? '; Secure' : ''}`

const Begun = z.strictObject({
  /** What its browser holds. */
  browser: z.string(),
  /** Where to go then. */
  to: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  until: z.number(),
})
type Begun = z.output<typeof Begun>

const isOwn = (target: string): boolean => target.startsWith(signInPath) || target.startsWith(signOutPath)

/** Finding the phone with the second factor takes a while, ms. */
const signInMs = 10 * 60_000
/** It has to fit into an address, with what else is in `state`. */
const targetCharsMax = 1500
/** About 100 bytes each. */
const endedMax = 10_000
