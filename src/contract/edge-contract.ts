import { z } from 'zod'
import { Scope } from './api/devices.ts'
import { urlShapes } from './api/foreign-edges.ts'
import { operation, transfer } from './operation.ts'

/**
 * The published edge contract: what edges of the product behind the control-plane document ask of its control plane. It is not
 * ours to change, hence names and statuses as they are; `docs/protocols/edge-contract.md` describes it. Paths are whole: none
 * is below `/api/v1`.
 */

const base = { family: 'internal', tag: 'Edge contract' } as const
const asked = { ...base, access: 'peer' } as const

/** Whether an edge may order a certificate for a name the moment it is asked for, or has one by other means. */
const CertMode = z.enum(['on_demand', 'delegated'])

const Reported = z.object({ ok: z.literal(true), accepted: z.int(), dropped: z.int().optional() })

export const edgeContractOperations = {
  verifyToken: operation({
    ...asked,
    method: 'POST',
    path: '/api/internal/verify-token',
    summary: 'Whose key an agent has shown',
    body: z.strictObject({ token: z.string() }),
    reply: z.object({ kind: z.literal('key'), slug: z.string() }),
    errors: ['unauthorized', 'not_found'],
  }),
  scopeHostnames: operation({
    ...asked,
    method: 'GET',
    path: '/api/internal/scope-hostnames',
    summary: 'Under which host names the tunnels of a workspace appear',
    query: z.object({ slug: z.string().max(100) }),
    reply: z.object({
      primary_slug: z.string(),
      slugs: z.array(z.string()),
      shape: z.enum(urlShapes),
      domains: z.array(z.object({ domain: z.string(), primary: z.boolean(), cert_mode: CertMode })),
      primary_host: z.string(),
    }),
    errors: ['unauthorized', 'not_found'],
  }),
  resolveHost: operation({
    ...asked,
    method: 'GET',
    path: '/api/internal/resolve-host',
    summary: 'Whose a host name is, before a certificate is ordered for it',
    query: z.object({ host: z.string().max(1000) }),
    reply: z.object({ slug: z.string(), cert_mode: CertMode.optional(), tunnel: z.string().optional() }),
    errors: ['unauthorized', 'not_found'],
  }),
  reportPeriods: operation({
    ...asked,
    method: 'POST',
    path: '/api/internal/usage',
    summary: 'Bytes by workspace and minute: the older kind of report',
    body: z.strictObject({ events: z.array(z.unknown()).max(10_000), requests_total_delta: z.unknown().optional() }),
    reply: Reported,
    errors: ['unauthorized'],
  }),
}

/** Read as it comes: no length of a visitor's path or header may make a report too large to be taken. */
export const edgeContractTransfers = {
  reportRequests: transfer({
    ...asked,
    method: 'POST',
    path: '/api/internal/requests',
    summary: 'Every request, once',
    takes: ['application/json'],
    reply: Reported,
    errors: ['unauthorized'],
  }),
}

/** What command lines of that product ask. */
export const discoveryOperations = {
  discoverSignIn: operation({
    ...base,
    method: 'GET',
    path: '/.well-known/beam-auth',
    summary: 'Where signing in from a terminal begins',
    access: 'public',
    reply: z.object({ device_code_url: z.string(), token_url: z.string(), verification_uri: z.string() }),
    errors: [],
  }),
  scopes: operation({
    ...base,
    method: 'GET',
    path: '/api/scopes',
    summary: 'Which workspaces a key reaches',
    access: 'account',
    reply: z.object({ user: z.string(), scopes: z.array(Scope) }),
    errors: [],
  }),
}

/** An id that the edge makes: printable, and short enough for an index. */
const EventId = z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 printable characters')

/** What may be left out is also sent empty, by programs that write every field. */
const orNothing = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional())

/** As edges write times: RFC 3339, to the nanosecond; here ms since 1970. */
const Instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** More than one request or window of ours or theirs ever carried: 1 TiB. Larger numbers are no counts. */
const eventBytesMax = 2 ** 40

const Bytes = z.int().min(0).max(eventBytesMax)

/** What we read of a reported request; whatever else it says is left alone. */
export const RequestEvent = z.object({
  request_id: EventId,
  /** The same for each window of one long connection. */
  connection_id: orNothing(EventId),
  /** Absent where no tunnel was found. */
  slug: orNothing(z.string().max(100)),
  host: z.string().max(1000),
  outcome: z.string().max(100),
  bytes_in: Bytes,
  bytes_out: Bytes,
  started_at: Instant,
  ended_at: Instant,
})
export type RequestEvent = z.output<typeof RequestEvent>

/** One workspace in one period: `bytes` to visitors since the last report that was acknowledged. */
export const PeriodEvent = z.object({
  slug: z.string().max(100),
  bytes: Bytes,
  active_tunnels: z.int().min(0).max(1_000_000),
  period_start: Instant,
  period_end: Instant,
})
export type PeriodEvent = z.output<typeof PeriodEvent>
