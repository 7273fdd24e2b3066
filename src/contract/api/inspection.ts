import { z } from 'zod'
import { CapturedHeader, ReplayEdits, SeenConnection, SeenRequestFacts } from '../edge-inspection.ts'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { CaptureSettings, captureBounds } from '../tunnel-capture.ts'

/** How long news may be waited for, seconds. */
const waitSecondsMax = 20

export const CapturedRequestSummary = z
  .strictObject({
    ...SeenRequestFacts.shape,
    at: Time,
    target: z.string().meta({ description: 'Path and query; values that look like keys are hidden' }),
    targetCut: z.boolean().meta({ description: 'The target is longer than what is told' }),
    state: SeenRequestFacts.shape.state.meta({ description: '`open`: still under way' }),
    problem: z.string().nullable().meta({
      description:
        'Of a failed one: `broken_off` by the visitor, `timed_out`, or what the visitor was told, such as `service_unreachable`',
    }),
    bytesIn: z.int().meta({ description: 'From the visitor' }),
    bytesOut: z.int().meta({ description: 'To the visitor' }),
    captured: z.boolean().meta({ description: 'Its headers and bodies were kept: it can be sent again' }),
    replayOf: z.string().nullable().meta({ description: 'The request that was sent again by it' }),
  })
  .meta({ id: 'CapturedRequestSummary' })
export type CapturedRequestSummary = z.output<typeof CapturedRequestSummary>

export const CapturedBody = z
  .strictObject({
    bytes: z.int().meta({ description: 'Of all of it, as it was sent' }),
    cut: z.boolean().meta({ description: 'Only its begin was kept' }),
    base64: z.string().meta({ description: 'What was kept, as it was sent: compressed, if it was' }),
    text: z.string().nullable().meta({ description: 'What was kept, unpacked, where it is text' }),
    textCut: z.boolean().meta({ description: 'The text is longer than what is told' }),
    coding: z.string().nullable().meta({ description: 'What it was packed with, such as `gzip`' }),
  })
  .meta({ id: 'CapturedBody' })
export type CapturedBody = z.output<typeof CapturedBody>

const Message = z.strictObject({ headers: z.array(CapturedHeader), body: CapturedBody }).nullable()

export const CapturedRequest = z
  .strictObject({
    ...CapturedRequestSummary.shape,
    request: Message.meta({ description: 'Null where headers and bodies were not kept' }),
    response: Message.meta({ description: 'Null where there is none, or it was not kept' }),
  })
  .meta({ id: 'CapturedRequest' })
export type CapturedRequest = z.output<typeof CapturedRequest>

export const TunnelConnection = z
  .strictObject({
    ...SeenConnection.shape,
    since: Time,
    bytesIn: z.int().meta({ description: 'From the visitor' }),
    bytesOut: z.int().meta({ description: 'To the visitor' }),
    rateIn: z.number().meta({ description: 'Bytes a second, of the last seconds' }),
    rateOut: z.number().meta({ description: 'Bytes a second, of the last seconds' }),
  })
  .meta({ id: 'TunnelConnection' })

const base = { family: 'control', tag: 'Inspection' } as const
const Tunnel = { tunnel: z.string().meta({ description: 'Its id, such as `tun_4k2j9x0q1m5v7c3d`, or its name' }) }
const strangers = 'what visitors have sent and the service has answered'
const Whole = z.string().regex(/^\d{1,4}$/, 'must be a whole number')

/** What visitors ask of a tunnel, and who they are. It is asked of the edges when somebody looks, and stored nowhere else. */
export const inspectionOperations = {
  tunnelCapture: operation({
    ...base,
    method: 'GET',
    path: '/tunnels/{tunnel}/capture',
    summary: 'What is kept of a tunnel’s requests, and for how long',
    access: { workspace: 'tunnels.inspect' },
    params: z.object(Tunnel),
    reply: CaptureSettings,
    mcp: { tool: 'get_tunnel_capture' },
    errors: ['forbidden', 'not_found'],
  }),
  setTunnelCapture: operation({
    ...base,
    method: 'PUT',
    path: '/tunnels/{tunnel}/capture',
    summary: 'Say what is kept of a tunnel’s requests',
    description:
      'With `full` the edges keep headers and bodies of requests in their memory, within these bounds. What may not be kept any more is erased before this answers.',
    access: { workspace: 'tunnels.capture' },
    params: z.object(Tunnel),
    body: CaptureSettings,
    reply: CaptureSettings,
    errors: ['forbidden', 'not_found'],
  }),
  tunnelRequests: operation({
    ...base,
    method: 'GET',
    path: '/tunnels/{tunnel}/requests',
    summary: 'The last requests of a tunnel, newest first; with a cursor, those that are new or have changed since',
    access: { workspace: 'tunnels.inspect' },
    params: z.object(Tunnel),
    query: z.object({
      limit: Whole.transform(Number)
        .pipe(z.int().min(1).max(captureBounds.requestsMax))
        .default(100)
        .meta({ description: `How many, 1 to ${captureBounds.requestsMax}` }),
      cursor: z.string().max(8_192).optional().meta({ description: 'Where the last answer ended' }),
      wait: Whole.transform(Number)
        .pipe(z.int().min(0).max(waitSecondsMax))
        .default(0)
        .meta({ description: `With a cursor: wait so many seconds for news, 0 to ${waitSecondsMax}` }),
    }),
    reply: z.strictObject({
      requests: z.array(CapturedRequestSummary),
      cursor: z.string(),
      complete: z.boolean().meta({ description: 'False where an edge has not answered: what it knows is missing' }),
    }),
    mcp: { tool: 'list_requests', strangers },
    errors: ['forbidden', 'not_found'],
  }),
  tunnelRequest: operation({
    ...base,
    method: 'GET',
    path: '/tunnels/{tunnel}/requests/{request}',
    summary: 'One request, with headers and bodies where they were kept',
    access: { workspace: 'tunnels.inspect' },
    params: z.object({ ...Tunnel, request: z.string() }),
    reply: CapturedRequest,
    mcp: { tool: 'get_request', strangers },
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  eraseTunnelRequests: operation({
    ...base,
    method: 'DELETE',
    path: '/tunnels/{tunnel}/requests',
    summary: 'Forget every request of a tunnel',
    access: { workspace: 'tunnels.capture' },
    params: z.object(Tunnel),
    reply: z.strictObject({ erased: z.int() }),
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  replayTunnelRequest: operation({
    ...base,
    method: 'POST',
    path: '/tunnels/{tunnel}/requests/{request}/replays',
    summary: 'Send a captured request to the service once more, as it was or edited',
    description:
      'It carries the header `Pharos-Replay` with the id of the captured request. Hidden values that are sent back as `[redacted]` are the ones that the request had.',
    access: { workspace: 'tunnels.replay' },
    params: z.object({ ...Tunnel, request: z.string() }),
    body: ReplayEdits,
    bodyBytesMax: 4 * 1024 * 1024,
    reply: CapturedRequest,
    mcp: { tool: 'replay_request', strangers, outside: true },
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
  tunnelConnections: operation({
    ...base,
    method: 'GET',
    path: '/tunnels/{tunnel}/connections',
    summary: 'Who is connected to a tunnel at this moment, and how much they send',
    access: { workspace: 'tunnels.inspect' },
    params: z.object(Tunnel),
    reply: z.strictObject({
      connections: z.array(TunnelConnection).meta({ description: 'The longest ones first' }),
      total: z.int(),
      complete: z.boolean().meta({ description: 'False where an edge has not answered: who is there is missing' }),
    }),
    mcp: { tool: 'list_tunnel_connections' },
    errors: ['forbidden', 'not_found'],
  }),
  cutTunnelConnection: operation({
    ...base,
    method: 'DELETE',
    path: '/tunnels/{tunnel}/connections/{connection}',
    summary: 'End one connection of a visitor; they may come again',
    access: { workspace: 'tunnels.disconnect' },
    params: z.object({ ...Tunnel, connection: z.string() }),
    reply: z.strictObject({ id: z.string(), cut: z.literal(true) }),
    errors: ['forbidden', 'not_found', 'conflict'],
  }),
}
