import { z } from 'zod'
import { Port, TunnelName } from './fields.ts'

/**
 * Agent ⇄ edge, over one link. The agent says hello with its credential and asks for tunnels by message; the edge opens a
 * stream to the agent for each visitor connection. The agent alone decides which local address a tunnel leads to: the edge
 * names tunnels, never addresses.
 */

/** The agent's hello. `credential` is an API key, or a node's credential. */
export const AgentHello = z.strictObject({
  role: z.literal('agent'),
  version: z.literal(1),
  credential: z.string().min(1).max(512),
  software: z.string().max(100),
})
export type AgentHello = z.output<typeof AgentHello>

export const AgentWelcome = z.strictObject({ edge: z.string(), slug: z.string().nullable() })
export type AgentWelcome = z.output<typeof AgentWelcome>

/** What an agent wants. With a key: a name of its workspace. With a node's credential: an allocation of one of its servers. */
export const TunnelRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('http'), name: TunnelName }),
  z.strictObject({ kind: z.literal('tcp'), name: TunnelName, port: Port.optional() }),
  z.strictObject({ kind: z.literal('allocation'), allocation: z.string().max(100) }),
])
export type TunnelRequest = z.output<typeof TunnelRequest>

/** `ref` ties the answer to the request; it means nothing to the edge. */
export const AgentMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open'), ref: z.string().max(100), tunnel: TunnelRequest }),
  z.strictObject({ type: z.literal('close'), tunnelId: z.string().max(100) }),
])
export type AgentMessage = z.output<typeof AgentMessage>

export const EdgeMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('opened'),
    ref: z.string(),
    tunnelId: z.string(),
    /** `http://web.acme.localhost:4680` or `tcp://host:port` */ url: z.string(),
  }),
  z.strictObject({
    type: z.literal('refused'),
    ref: z.string(),
    code: z.enum(['taken', 'limit', 'forbidden', 'invalid', 'unavailable']),
    message: z.string(),
  }),
  z.strictObject({ type: z.literal('closed'), tunnelId: z.string(), reason: z.string() }),
])
export type EdgeMessage = z.output<typeof EdgeMessage>

/** The head of a visitor's stream. */
export const VisitorHead = z.strictObject({
  tunnelId: z.string(),
  address: z.string(),
  port: z.int(),
  /** For logs. */ protocol: z.enum(['http', 'tcp']),
})
export type VisitorHead = z.output<typeof VisitorHead>
