import { z } from 'zod'
import { operation } from './operation.ts'
import { CaptureSettings, captureBounds } from './tunnel-capture.ts'

/**
 * Panel → edge: what an edge keeps of a tunnel's requests, and who is connected at this moment. It is asked for when somebody looks, and is
 * stored nowhere else. Times are ms since 1970.
 */

/** Most that is told at a time: all that a tunnel may keep on an edge. */
export const requestsPerAnswerMax = captureBounds.requestsMax

/** How long an edge may be asked to wait for news: below the time that a reply over a link may take. */
export const newsWaitMsMax = 20_000

/** Connections that are told at a time: the longest ones. */
export const connectionsPerAnswerMax = 500

/** What a method, a target and a header may be when a request is edited. */
export const editBounds = {
  methodCharsMax: 32,
  targetCharsMax: 16_384,
  headersMax: 150,
  valueCharsMax: 16_384,
} as const

const Text = z.string()

/** What is known of a request without its headers and bodies. */
export const SeenRequestFacts = z.strictObject({
  id: Text,
  at: z.int(),
  address: Text,
  protocol: z.enum(['HTTP/1.0', 'HTTP/1.1', 'HTTP/2']),
  webSocket: z.boolean(),
  method: Text,
  host: Text,
  /** Path and query, secrets hidden. */
  target: Text,
  /** The target is longer than what was kept. */
  targetCut: z.boolean(),
  status: z.int().nullable(),
  state: z.enum(['open', 'done', 'failed']),
  /** Of a failed one: a word for what went wrong. */
  problem: Text.nullable(),
  /** Until the head of the answer; until its end. */
  answeredAfterMs: z.number().nullable(),
  tookMs: z.number().nullable(),
  bytesIn: z.int(),
  bytesOut: z.int(),
  /** Headers and bodies were kept. */
  captured: z.boolean(),
  /** The request that it repeats. */
  replayOf: Text.nullable(),
})
export type SeenRequestFacts = z.output<typeof SeenRequestFacts>

export const CapturedHeader = z.strictObject({ name: Text, value: Text, redacted: z.boolean() })
export type CapturedHeader = z.output<typeof CapturedHeader>

/** A body as far as it was kept, as it was sent: compressed, if it was. */
export const SeenBody = z.strictObject({
  base64: Text,
  /** Of all of it, without the framing. */
  bytes: z.int(),
  cut: z.boolean(),
})
export type SeenBody = z.output<typeof SeenBody>

/** One side of an exchange. */
export const SeenMessage = z.strictObject({ headers: z.array(CapturedHeader), body: SeenBody })
export type SeenMessage = z.output<typeof SeenMessage>

export const SeenRequest = z.strictObject({
  facts: SeenRequestFacts,
  request: SeenMessage.nullable(),
  response: SeenMessage.nullable(),
})
export type SeenRequest = z.output<typeof SeenRequest>

/** What is to be another one than it was; what is left out stays. A header whose value is `[redacted]` keeps the value that it had. */
export const ReplayEdits = z.strictObject({
  method: z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/, 'must be an HTTP method')
    .optional(),
  target: z
    .string()
    .max(editBounds.targetCharsMax)
    .regex(/^\/[\x21-\x7e]*$/, 'must begin with / and hold no spaces or control characters')
    .optional(),
  headers: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'must be the name of a header'),
        value: z
          .string()
          .max(editBounds.valueCharsMax)
          .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must not hold control characters'),
      }),
    )
    .max(editBounds.headersMax)
    .optional(),
  bodyBase64: z
    .string()
    .max(Math.ceil(captureBounds.bodyBytesMax / 3) * 4)
    .regex(/^[0-9A-Za-z+/]*={0,2}$/, 'must be base64')
    .optional(),
})
export type ReplayEdits = z.output<typeof ReplayEdits>

export const SeenConnection = z.strictObject({
  id: Text,
  address: Text,
  port: z.int(),
  protocol: z.enum(['HTTP/1', 'HTTP/2', 'tls', 'minecraft', 'tcp', 'udp']),
  since: z.int(),
  bytesIn: z.int(),
  bytesOut: z.int(),
  /** Bytes a second, of the last seconds. */
  rateIn: z.number(),
  rateOut: z.number(),
  requests: z.int(),
})
export type SeenConnection = z.output<typeof SeenConnection>

const base = { family: 'internal', access: 'peer', tag: 'Edge' } as const
/** Both, so that an edge never tells of one workspace's tunnel what was asked for another's. */
const Tunnel = { tunnelId: z.string(), workspaceId: z.string() }

export const edgeInspection = {
  listRequests: operation({
    ...base,
    method: 'POST',
    path: '/inspection/lists',
    summary: 'The newest requests, or those that have changed since; waits for the first of these if asked to',
    body: z.strictObject({
      ...Tunnel,
      limit: z.int().min(1).max(requestsPerAnswerMax),
      /** Where the last answer ended; null: from the newest on backwards. */
      since: z.strictObject({ run: z.string(), change: z.int() }).nullable(),
      waitMs: z.int().min(0).max(newsWaitMsMax),
    }),
    reply: z.strictObject({ run: z.string(), change: z.int(), requests: z.array(SeenRequestFacts) }),
    errors: [],
  }),
  readRequest: operation({
    ...base,
    method: 'POST',
    path: '/inspection/reads',
    summary: 'One request with what was kept of it',
    body: z.strictObject({ ...Tunnel, requestId: z.string() }),
    reply: SeenRequest,
    errors: ['not_found'],
  }),
  replayRequest: operation({
    ...base,
    method: 'POST',
    path: '/inspection/replays',
    summary: 'Send a captured request to the service once more; answers with what came back',
    body: z.strictObject({ ...Tunnel, requestId: z.string(), edits: ReplayEdits }),
    bodyBytesMax: 4 * 1024 * 1024,
    reply: SeenRequest,
    errors: ['not_found', 'conflict', 'rate_limited', 'invalid_request'],
  }),
  eraseRequests: operation({
    ...base,
    method: 'POST',
    path: '/inspection/erasures',
    summary: 'Forget what was kept',
    body: z.strictObject(Tunnel),
    reply: z.strictObject({ erased: z.int() }),
    errors: [],
  }),
  setCapture: operation({
    ...base,
    method: 'POST',
    path: '/inspection/captures',
    summary: 'What may be kept of this tunnel from now on, also while it is closed; what may not goes at once',
    body: z.strictObject({ ...Tunnel, capture: CaptureSettings }),
    reply: z.strictObject({}),
    errors: [],
  }),
  listConnections: operation({
    ...base,
    method: 'POST',
    path: '/inspection/connections',
    summary: 'Who is connected to a tunnel at this moment',
    body: z.strictObject(Tunnel),
    reply: z.strictObject({ connections: z.array(SeenConnection), total: z.int() }),
    errors: [],
  }),
  cutConnection: operation({
    ...base,
    method: 'POST',
    path: '/inspection/cuts',
    summary: 'End one connection of a visitor',
    body: z.strictObject({ ...Tunnel, connectionId: z.string() }),
    reply: z.strictObject({}),
    errors: ['not_found'],
  }),
}
