import type { GrantedAccess } from '../../contract/access-rules.ts'
import { sourceOf } from '../../lib/address.ts'
import { AccessRefused, type VisitorProblem } from '../errors.ts'
import { HttpRefusal } from '../ingress/http-head.ts'
import { Pacer } from '../pacer.ts'
import type { AccessDesk } from './desk.ts'
import { changeFields, valuesOf, withoutCookies, withoutFields } from './fields.ts'
import { ipGate } from './networks.ts'
import { isOwnCookie, SignIn } from './sign-in.ts'
import { isSigned } from './signatures.ts'
import { type Admission, admittedByNobody, type JudgedRequest, refused, type Verdict } from './verdict.ts'
import { skipWarningField, warn } from './warning.ts'

export interface TunnelAccessOptions {
  tunnelId: string
  desk: AccessDesk
  /** What the plan of the workspace wants visitors to be warned with; null where it wants nothing. */
  warningKey(): string | null
}

/**
 * Who may visit one tunnel at this moment. Ingresses ask it: `enter` for each connection of what is not HTTP, `judge` for each request of HTTP,
 * in the order that docs/access-rules.md names: network, maintenance, rate, warning, password or sign-in, signature. `stays` says it again for
 * somebody who is in.
 */
export class TunnelAccess implements Disposable {
  readonly #options: TunnelAccessOptions
  #rules: GrantedAccess = {}
  #ipGate: ((address: string) => boolean) | null = null
  #signIn: SignIn | null = null
  #pacer: Pacer | null = null

  constructor(options: TunnelAccessOptions) {
    this.#options = options
  }

  /** Nobody is asked anything: HTTP need not be judged. */
  get isOpen(): boolean {
    const { ip, maintenance, limits, basic, oidc, headers, signature } = this.#rules
    return !(
      ip ||
      maintenance ||
      limits?.requestsPerMinute ||
      basic ||
      oidc ||
      headers ||
      signature ||
      this.#options.warningKey()
    )
  }

  /** What its bytes have to pass; null without a limit. */
  get pacer(): Pacer | null {
    return this.#pacer
  }

  get rules(): GrantedAccess {
    return this.#rules
  }

  set rules(rules: GrantedAccess) {
    const { tunnelId, desk } = this.#options
    this.#rules = rules
    this.#ipGate = rules.ip ? ipGate(rules.ip) : null
    this.#signIn = rules.oidc
      ? new SignIn({
          tunnelId,
          rule: rules.oidc,
          providers: desk.providers,
          ended: desk.endedSessions,
          now: () => desk.now(),
          troubled: (error) => desk.troubled(tunnelId, error),
        })
      : null
    const bytesPerSecond = rules.limits?.bytesPerSecond ?? null
    if (bytesPerSecond === null) {
      this.#pacer?.[Symbol.dispose]()
      this.#pacer = null
    } else if (this.#pacer) this.#pacer.bytesPerSecond = bytesPerSecond
    else this.#pacer = new Pacer(bytesPerSecond, () => desk.now())
  }

  [Symbol.dispose](): void {
    this.#pacer?.[Symbol.dispose]()
  }

  /** Where somebody can tell of abuse of a host; null where nobody could. */
  reportUrl(host: string): string | null {
    return this.#options.desk.reportUrl(host)
  }

  /** One connection, or flow, of what is not HTTP. @throws AccessRefused */
  enter(address: string): Admission {
    const problem = this.#knock(address) ?? this.#pass(address)
    if (problem) throw new AccessRefused(problem)
    // An older panel may let such a tunnel have rules that only HTTP can keep.
    const { basic, oidc, signature } = this.#rules
    if (basic || oidc || signature) throw new AccessRefused({ code: 'access_denied', host: '' })
    return admittedByNobody(address)
  }

  /** One request of HTTP. At once where nothing has to be waited for. */
  judge(request: JudgedRequest): Verdict | Promise<Verdict> {
    const { address, head } = request
    const problem = this.#knock(address) ?? this.#pass(address)
    if (problem) return refused({ ...problem, host: head.authority })
    const { tunnelId, desk, warningKey } = this.#options
    const key = warningKey()
    const warning =
      key === null ? null : warn(request, { tunnelId, key, report: desk.reportUrl(head.host), now: desk.now() })
    if (warning) return warning
    const own = this.#signIn?.own(request)
    if (own) return own
    const known = this.#identify(request)
    if (known instanceof Promise)
      return known.then((verdict) => ('kind' in verdict ? verdict : this.#admit(request, verdict)))
    return 'kind' in known ? known : this.#admit(request, known)
  }

  /** Whether somebody who was let in may go on. */
  stays({ address, user, person, signed }: Admission): boolean {
    const { maintenance, basic, oidc, signature } = this.#rules
    if (maintenance || this.#ipGate?.(address) === false) return false
    if (signature && !signed) return false
    if (!basic && !oidc) return true
    const byPassword =
      user !== null && basic?.users.some(({ name, hash }) => name === user.name && hash === user.hash) === true
    return byPassword || (person !== null && this.#signIn?.isGood(person) === true)
  }

  /** What somebody is told who was let in and is not any more. */
  problemOf({ address }: Admission, host: string): VisitorProblem {
    return { ...(this.#knock(address) ?? { code: 'access_denied' }), host }
  }

  #knock(address: string): Problem | null {
    if (this.#ipGate?.(address) === false) return { code: 'access_denied', host: '' }
    const { maintenance } = this.#rules
    return maintenance ? { code: 'maintenance', host: '', ...maintenance } : null
  }

  #pass(address: string): Problem | null {
    const { limits } = this.#rules
    const perMinute = limits?.requestsPerMinute
    if (!limits || !perMinute) return null
    const { tunnelId, desk } = this.#options
    const key = limits.per === 'tunnel' ? tunnelId : `${tunnelId} ${sourceOf(address)}`
    const rate = { perSecond: perMinute / 60, burst: Math.max(1, Math.ceil(perMinute / burstsPerMinute)) }
    const retryAfterSeconds = desk.requests.take(key, rate, performance.now())
    return retryAfterSeconds === 0 ? null : { code: 'too_many_requests', host: '', retryAfterSeconds }
  }

  /** Who comes, or what they get instead. Either way of signing in is good where there are two. */
  #identify(request: JudgedRequest): Identity | Verdict | Promise<Identity | Verdict> {
    const { basic } = this.#rules
    if (!basic && !this.#signIn) return { user: null, person: null }
    const person = this.#signIn?.personOf(request)
    if (person) return { user: null, person }
    const given = basic ? credentialsOf(request.head.fields) : null
    if (basic && given) return this.#checkPassword(request, basic.users, given)
    if (this.#signIn && (!basic || isBrowsers(request))) return this.#signIn.begin(request)
    return this.#challenge(request)
  }

  #checkPassword(
    request: JudgedRequest,
    users: readonly { name: string; hash: string }[],
    given: Credentials,
  ): Identity | Verdict | Promise<Identity | Verdict> {
    const { tunnelId, desk } = this.#options
    const now = performance.now()
    const user = users.find(({ name }) => name === given.name)
    if (user && desk.passwords.isKnown(user.hash, given.password, now)) return { user, person: null }
    const { authority: host } = request.head
    // Whoever guesses is slowed down by where they are, and all together by the tunnel.
    const source = `${tunnelId} ${sourceOf(request.address)}`
    const waitSeconds =
      desk.attempts.take(source, attemptsPerSource, now) || desk.attempts.take(tunnelId, attemptsPerTunnel, now)
    if (waitSeconds > 0) return refused({ code: 'too_many_requests', host, retryAfterSeconds: waitSeconds })
    // A name that nobody has takes as long.
    const hash = user?.hash ?? users[0]?.hash
    if (hash === undefined) return this.#challenge(request)
    return desk.passwords.check(hash, given.password, now).then((verdict) => {
      if (verdict === 'busy') return refused({ code: 'too_many_requests', host, retryAfterSeconds: 2 })
      return user && verdict === 'right' ? { user, person: null } : this.#challenge(request)
    })
  }

  #challenge = ({ head }: JudgedRequest): Verdict =>
    refused({ code: 'sign_in_needed', host: head.authority, challenge: `Basic realm="${head.host}", charset="UTF-8"` })

  #admit(request: JudgedRequest, identity: Identity): Verdict | Promise<Verdict> {
    const { signature } = this.#rules
    if (!signature) return this.#admitted(request, identity, false)
    const { head } = request
    // Nobody signs it, and so it is not waited for.
    if (head.upgrade) return refused({ code: 'signature_missing', host: head.authority })
    return request.body(signedBodyBytesMax, this.#options.desk.room).then(
      (body) =>
        isSigned(signature, head.fields, body, this.#options.desk.now())
          ? this.#admitted(request, identity, true)
          : refused({ code: 'signature_missing', host: head.authority }),
      (error: unknown) => {
        if (error instanceof HttpRefusal)
          return refused({ code: 'request_invalid', status: error.status, reason: error.message })
        throw error
      },
    )
  }

  #admitted({ head, address }: JudgedRequest, { user, person }: Identity, signed: boolean): Verdict {
    const { headers, basic, oidc } = this.#rules
    let { fields } = head
    if (oidc || this.#options.warningKey() !== null) fields = withoutCookies(fields, isOwnCookie)
    // The password was for the edge; what a service wants itself comes in another scheme, or by a rule.
    if (basic) fields = withoutFields(fields, (name, line) => name === 'authorization' && /^[^:]*: *basic /i.test(line))
    fields = withoutFields(fields, (name) => name === skipWarningField)
    if (headers?.request) fields = changeFields(fields, headers.request)
    const name = user?.name ?? person?.email ?? person?.sub
    if (name !== undefined) fields += `X-Forwarded-User: ${plain(name)}\r\n`
    if (person?.email) fields += `X-Forwarded-Email: ${plain(person.email)}\r\n`
    const admission: Admission = { address, user, person, signed }
    return { kind: 'admitted', admission, fields, response: headers?.response ?? null }
  }
}

type Identity = Pick<Admission, 'user' | 'person'>

type Problem = Extract<VisitorProblem, { code: 'access_denied' | 'maintenance' | 'too_many_requests' }>

interface Credentials {
  name: string
  password: string
}

/** What somebody has typed; null where there is nothing that could be read. */
function credentialsOf(fields: string): Credentials | null {
  const [value, second] = valuesOf(fields, 'authorization')
  if (value === undefined || second !== undefined || value.length > credentialCharsMax) return null
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value)?.[1]
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon === -1 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** A person, rather than a program that could show a password. */
const isBrowsers = ({ head }: JudgedRequest): boolean => head.method === 'GET' && head.accept.includes('text/html')

/** As a field of HTTP takes it: bytes of UTF-8 written as latin1 would be read as something else. */
const plain = (text: string): string =>
  text.toWellFormed().replace(/[^\x20-\x7e]/gu, (sign) => encodeURIComponent(sign))

/** A burst is what comes in ten seconds of the rate: a page with its images. */
const burstsPerMinute = 6
/** Typing errors fit, guessing does not. */
const attemptsPerSource = { perSecond: 1 / 6, burst: 20 }
/** Guessing from everywhere gets no further than 5 a second, which costs a tenth of a core. */
const attemptsPerTunnel = { perSecond: 5, burst: 100 }
/** Longer than any name with its password. */
const credentialCharsMax = 1024
/** Most who sign send some KB; the largest of them, GitHub's pushes, are rarely more than this. */
const signedBodyBytesMax = 2 * 1024 * 1024
