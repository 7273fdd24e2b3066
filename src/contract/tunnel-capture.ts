import { z } from 'zod'

/** What is kept of requests: nothing, who asked for what and how it went, or that with headers and bodies. */
export const captureModes = ['off', 'metadata', 'full'] as const
export type CaptureMode = (typeof captureModes)[number]

/** The bounds of what one tunnel may keep, on each edge. */
export const captureBounds = {
  /** A page of them is looked at, a program may read them all. */
  requestsMax: 1_000,
  /** Below it not one request with a head of usual size fits. */
  bytesMin: 64 * 1024,
  /** A hundred tunnels that keep so much are what an edge gives to all together. */
  bytesMax: 16 * 1024 * 1024,
  keptSecondsMin: 60,
  /** A day: what is to be kept for longer belongs into a log of the service's own. */
  keptSecondsMax: 86_400,
  /** Of one body. What is larger is a file, and is told to be cut. */
  bodyBytesMax: 1024 * 1024,
  /** Names that are hidden beyond those that always are. */
  namesMax: 50,
} as const

const HeaderName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'must be the name of a header')
const ParameterName = z.string().min(1).max(100)

/** So many bodies at least are to fit: of one that does not fit with its answer nothing would be kept. */
const bodiesMin = 4

/** What an edge keeps of the requests of a tunnel, in its memory alone. */
export const CaptureSettings = z
  .strictObject({
    mode: z.enum(captureModes).default('metadata'),
    requests: z
      .int()
      .min(1)
      .max(captureBounds.requestsMax)
      .default(200)
      .meta({ description: 'How many are kept; the oldest make room' }),
    bytes: z
      .int()
      .min(captureBounds.bytesMin)
      .max(captureBounds.bytesMax)
      .default(4 * 1024 * 1024)
      .meta({ description: 'How much memory they may take together on one edge' }),
    keptSeconds: z
      .int()
      .min(captureBounds.keptSecondsMin)
      .max(captureBounds.keptSecondsMax)
      .default(3600)
      .meta({ description: 'How long each is kept after it came' }),
    bodyBytes: z
      .int()
      .min(0)
      .max(captureBounds.bodyBytesMax)
      .default(64 * 1024)
      .meta({ description: 'With `full`: how much is kept of each body; what is longer is cut, and marked so' }),
    redactHeaders: z.array(HeaderName).max(captureBounds.namesMax).default([]).meta({
      description: 'Headers whose values are hidden, beside `Authorization`, `Cookie`, `Set-Cookie` and the like',
    }),
    redactParameters: z
      .array(ParameterName)
      .max(captureBounds.namesMax)
      .default([])
      .meta({ description: 'Parameters of queries whose values are hidden, beside those that look like keys' }),
  })
  .refine(({ bytes, bodyBytes }) => bytes >= bodiesMin * bodyBytes, {
    path: ['bytes'],
    message: `must be at least ${bodiesMin} times bodyBytes`,
  })
export type CaptureSettings = z.output<typeof CaptureSettings>

/** How it is where nobody has said anything. */
export const captureDefaults: CaptureSettings = CaptureSettings.parse({})

/** What stands where a secret was. */
export const redactedMark = '[redacted]'

/** By which a service recognises what was sent again; no visitor can send it. The value is the id of the captured request. */
export const replayHeader = 'Pharos-Replay'
