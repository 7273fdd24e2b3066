import { z } from 'zod'
import { Port } from '../../contract/fields.ts'
import type { EdgeMessage } from '../../contract/tunnel.ts'
import type { LinkErrorCode } from '../../link/index.ts'

/** By ALPN: what an agent offers, and the only thing that it takes. */
export const beam1Protocol = 'beam/1'

/** The version that a hello must name. */
export const beam1Version = 1

/** What an agent takes at once that does not say how much. */
export const streamsDefault = 64

/**
 * Messages of the control stream, one JSON object a line. Fields that are not known mean nothing, in both directions, as the protocol has it.
 */
export const AnyMessage = z.object({ type: z.string() })

export const Hello = z.object({
  type: z.literal('hello'),
  token: z.string().min(1).max(512),
  /** Empty: that of the token. */
  scope: z.string().max(100).optional(),
  max_streams: z.int().min(0).optional(),
})
export type Hello = z.output<typeof Hello>

/** Looked at before the rest: other versions may have another rest. */
export const HelloVersion = z.object({ type: z.literal('hello'), proto_version: z.number().default(0) })

export const Register = z.object({
  /** Missing or empty: the port is the name. */
  name: z.string().max(1_000).optional(),
  /** The agent's own, on its side. */
  port: Port,
  /** Ours: peers that do not know it register for HTTP. What is registered must be a stream of bytes. */
  kind: z.enum(['http', 'tcp', 'tls', 'minecraft']).default('http'),
})

export const Unregister = z.object({ name: z.string().max(1_000) })

export type ErrorCode =
  | 'bad_hello'
  | 'bad_version'
  | 'bad_token'
  | 'over_limit'
  | 'invalid_name'
  | 'name_taken'
  | 'bad_message'
  | 'unknown_message'
  | 'shutdown'
  | 'internal'

export type EdgeLine =
  | { type: 'hello_ok'; slug: string; base_domain: string; shape: 'subdomain'; proto_version: typeof beam1Version }
  | { type: 'registered'; name: string; url: string }
  /** `name`: it answers a register of that name. */
  | { type: 'error'; code: ErrorCode; name?: string; message: string }

/** How an agent is told why its session ends, or its hello is refused. `shutdown`: it comes back at once. */
export function sessionErrorCode(code: LinkErrorCode): ErrorCode {
  switch (code) {
    case 'unauthorized':
      return 'bad_token'
    case 'limit':
      return 'over_limit'
    case 'protocol':
      return 'bad_message'
    case 'closed':
      return 'shutdown'
    default:
      return 'internal'
  }
}

/** How an agent is told why a tunnel is refused. */
export function registerErrorCode(code: Extract<EdgeMessage, { type: 'refused' }>['code']): ErrorCode {
  switch (code) {
    case 'taken':
      return 'name_taken'
    case 'limit':
      return 'over_limit'
    case 'forbidden':
      return 'bad_token'
    case 'invalid':
      return 'invalid_name'
    case 'unavailable':
    case 'later':
      return 'internal'
  }
}
