import { z } from 'zod'
import { noControls } from './fields.ts'

/**
 * Who may visit a tunnel, and how: what people say of it, and what an edge gets of that. The parts that hold a secret differ between the
 * two; those are declared twice here, side by side.
 */

/** Of one list: an office, its partners, a country's provider. Each is looked at for each connection. */
const networksMax = 500

const plainNetwork = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
const Network = z
  .string()
  .refine((text) => plainNetwork.safeParse(text).success, 'must be an address or a network, such as 10.0.0.0/8')
  .meta({ description: 'An address or a network', example: '203.0.113.0/24' })

export const IpRules = z
  .strictObject({
    allow: z.array(Network).max(networksMax).default([]).meta({ description: 'With any of them nobody else comes in' }),
    deny: z
      .array(Network)
      .max(networksMax)
      .default([])
      .meta({ description: 'These never come in, also where allowed' }),
  })
  .refine(({ allow, deny }) => allow.length + deny.length > 0, 'say whom to allow or to deny')
  .meta({ id: 'IpRules' })
export type IpRules = z.output<typeof IpRules>

export const Maintenance = z
  .strictObject({
    message: z
      .string()
      .trim()
      .min(1)
      .max(1000)
      // Line ends are fine; what a terminal or a game takes for a command is not.
      .refine((text) => noControls.test(text.replaceAll('\n', '')), 'must not contain control characters')
      .default('This service is being worked on. It will be back soon.'),
    retryAfterSeconds: z
      .int()
      .min(1)
      .max(7 * 86_400)
      .nullable()
      .default(null)
      .meta({ description: 'Told as `Retry-After`' }),
  })
  .meta({ id: 'Maintenance', description: 'Nobody comes in; visitors read why' })
export type Maintenance = z.output<typeof Maintenance>

export const VisitorLimits = z
  .strictObject({
    requestsPerMinute: z.int().min(1).max(1_000_000).nullable().default(null).meta({
      description: 'Requests of HTTP; connections, or flows of UDP, of other kinds. A sixth of them may come at once',
    }),
    per: z.enum(['visitor', 'tunnel']).default('visitor').meta({
      description:
        'Whom the requests are counted for: an address of IPv4 or a network /64 of IPv6, or all together; on each edge',
    }),
    bytesPerSecond: z
      .int()
      .min(1024)
      .nullable()
      .default(null)
      .meta({ description: 'Of all visitors, both directions together, on each edge' }),
  })
  .refine((limits) => limits.requestsPerMinute !== null || limits.bytesPerSecond !== null, 'say what to limit')
  .meta({ id: 'VisitorLimits' })
export type VisitorLimits = z.output<typeof VisitorLimits>

/** A user name of basic authentication: RFC 7617 has no colon in it. */
export const BasicUser = z
  .string()
  .regex(/^[^:\p{Cc}]{1,64}$/u, 'must be 1 to 64 characters without a colon')
  .meta({ example: 'ada' })

/** A shared password of a site, which people choose: shorter than that of an account, slow to try all the same. */
export const BasicPassword = z.string().min(8, 'must have at least 8 characters').max(128)

/** Each costs a name to look through, and a hash to keep. */
export const basicUsersMax = 100

/** Fields that a rule may not touch: they frame a message, switch its protocol, route it, or say who the visitor is, which the edge alone does. */
const untouchable = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-real-ip',
])

const FieldName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'must be the name of a header field')
  .refine((name) => {
    const plain = name.toLowerCase().replaceAll('_', '-')
    return !untouchable.has(plain) && !/^(?:x-forwarded-|sec-websocket-|pharos-)/.test(plain)
  }, 'is a field that rules cannot touch: it frames the message, or the edge itself sets it')

const FieldValue = z
  .string()
  .max(2000)
  .regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII')

/** Of each list: more is a configuration for a proxy. */
const fieldsMax = 50

const FieldChanges = z.strictObject({
  remove: z.array(FieldName).max(fieldsMax).default([]),
  set: z
    .record(FieldName, FieldValue)
    .default({})
    .meta({ description: 'In place of whatever there is under the name' }),
  add: z.record(FieldName, FieldValue).default({}).meta({ description: 'Beside whatever there is under the name' }),
})
export type FieldChanges = z.output<typeof FieldChanges>

export const HeaderRules = z
  .strictObject({ request: FieldChanges.optional(), response: FieldChanges.optional() })
  .refine(({ request, response }) => request !== undefined || response !== undefined, 'say what to change')
  .meta({ id: 'HeaderRules', description: 'First removed, then set, then added' })
export type HeaderRules = z.output<typeof HeaderRules>

/** Whose signatures the edge knows how to check. `standard` is Standard Webhooks, which Svix and many others use; `hmac` is described by hand. */
export const signers = ['github', 'gitlab', 'stripe', 'slack', 'shopify', 'standard', 'hmac'] as const
export type Signer = (typeof signers)[number]

const SignatureForm = {
  signer: z.enum(signers),
  toleranceSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .meta({ description: 'How old a signed time may be (Stripe, Slack, Standard Webhooks); others sign none' }),
  header: FieldName.optional().meta({ description: 'With `hmac`: the field that holds the signature' }),
  algorithm: z.enum(['sha256', 'sha1', 'sha512']).optional().meta({ description: 'With `hmac`; sha256 unless given' }),
  encoding: z.enum(['hex', 'base64']).optional().meta({ description: 'With `hmac`; hex unless given' }),
  prefix: z
    .string()
    .max(20)
    .regex(/^[\x21-\x7e]*$/)
    .optional()
    .meta({ description: 'With `hmac`: what stands before it, such as `sha256=`' }),
}

const isComplete = ({
  signer,
  header,
  algorithm,
  encoding,
  prefix,
}: z.output<z.ZodObject<typeof SignatureForm>>): boolean =>
  signer === 'hmac'
    ? header !== undefined
    : header === undefined && algorithm === undefined && encoding === undefined && prefix === undefined
const completeWords = 'header is needed with signer hmac; header, algorithm, encoding and prefix are for that alone'

export const SignatureRule = z
  .strictObject(SignatureForm)
  .refine(isComplete, completeWords)
  .meta({ id: 'SignatureRule', description: 'Requests without a good signature of their body are refused' })

const SigningSecret = z
  .string()
  .min(8, 'must have at least 8 characters')
  .max(512)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')

export const NewSignatureRule = z
  .strictObject({
    ...SignatureForm,
    secret: SigningSecret.optional().meta({ description: 'The one that is kept stays where this is left out' }),
  })
  .refine(isComplete, completeWords)
  .meta({ id: 'NewSignatureRule' })

export const GrantedSignatureRule = z.strictObject({ ...SignatureForm, secret: SigningSecret })
export type GrantedSignatureRule = z.output<typeof GrantedSignatureRule>

/** Whom a sign-in lets in: a company lists groups rather than people. */
const personsMax = 500

const claimName = /^[A-Za-z0-9:/._-]{1,200}$/

const OidcForm = {
  issuer: z
    .url({ protocol: /^https?$/, error: 'must begin with https:// or http://' })
    .max(500)
    .refine((url) => {
      if (!URL.canParse(url)) return true
      const { username, password, hash, search } = new URL(url)
      return `${username}${password}${hash}${search}` === ''
    }, 'must be the address of the provider alone')
    .meta({
      description: 'It is asked at `/.well-known/openid-configuration`, by the edges',
      example: 'https://accounts.google.com',
    }),
  clientId: z.string().min(1).max(500).regex(noControls),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
    .max(20)
    .default(['openid', 'email'])
    .refine((scopes) => scopes.includes('openid'), 'must have openid among them'),
  emails: z
    .array(z.string().trim().toLowerCase().pipe(z.email()))
    .max(personsMax)
    .default([])
    .meta({ description: 'Only addresses that the provider has verified count' }),
  domains: z
    .array(
      z
        .string()
        .toLowerCase()
        .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be a domain, such as example.org'),
    )
    .max(personsMax)
    .default([])
    .meta({ description: 'What verified addresses end in, behind the @' }),
  claims: z
    .record(z.string().regex(claimName), z.array(z.string().min(1).max(200)).min(1).max(100))
    .refine((claims) => Object.keys(claims).length <= 20, 'must be at most 20')
    .default({})
    .meta({ description: 'Each of these claims of the ID token must have, or hold, one of the values' }),
  anybody: z
    .boolean()
    .default(false)
    .meta({ description: 'Whoever can sign in there may come in: needed where nobody is named' }),
  sessionHours: z
    .number()
    .min(1 / 3600)
    .max(30 * 24)
    .default(12)
    .meta({ description: 'How long a sign-in lasts' }),
}

const namesSomebody = (rule: z.output<z.ZodObject<typeof OidcForm>>): boolean =>
  rule.anybody || rule.emails.length + rule.domains.length + Object.keys(rule.claims).length > 0
const nobodyNamed = 'name e-mail addresses, domains or claims, or say anybody'

export const OidcRule = z
  .strictObject({
    ...OidcForm,
    confidential: z.boolean().meta({ description: 'A client secret is kept' }),
    redirectUris: z.array(z.string()).meta({ description: 'What the provider has to be told' }),
  })
  .meta({ id: 'OidcRule' })

const ClientSecret = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[\x20-\x7e]+$/)

export const NewOidcRule = z
  .strictObject({
    ...OidcForm,
    clientSecret: ClientSecret.nullable()
      .optional()
      .meta({ description: 'Null for a client without one; the one that is kept stays where this is left out' }),
  })
  .refine(namesSomebody, nobodyNamed)
  .meta({ id: 'NewOidcRule' })

export const GrantedOidcRule = z.strictObject({
  ...OidcForm,
  clientSecret: ClientSecret.nullable(),
  /** 32 bytes, base64url: what sessions are sealed with, the same on every edge. A new one ends them all. */
  key: z.string().length(43),
})
export type GrantedOidcRule = z.output<typeof GrantedOidcRule>

/** What an edge gets. */
export const GrantedAccess = z.strictObject({
  ip: IpRules.optional(),
  maintenance: Maintenance.optional(),
  limits: VisitorLimits.optional(),
  basic: z
    .strictObject({ users: z.array(z.strictObject({ name: BasicUser, hash: z.string().max(200) })).max(basicUsersMax) })
    .optional(),
  oidc: GrantedOidcRule.optional(),
  headers: HeaderRules.optional(),
  signature: GrantedSignatureRule.optional(),
})
export type GrantedAccess = z.output<typeof GrantedAccess>

/** The parts that only HTTP has: a tunnel of another kind cannot have them. */
export const httpOnlyParts = ['basic', 'oidc', 'headers', 'signature'] as const

/** Where a provider sends people back to, and where they sign out: the edge's own on a tunnel's hosts while sign-in is on. */
export const signInPath = '/.pharos/sign-in'
export const signOutPath = '/.pharos/sign-out'
/** Where the warning page leads: the edge's own on a tunnel's hosts while its plan shows one. */
export const continuePath = '/.pharos/continue'
