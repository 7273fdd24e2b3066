import { z } from 'zod'
import { Port, Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { rawKinds } from '../tunnel.ts'

export const Tunnel = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    kind: z.enum(['http', 'tls', 'minecraft', ...rawKinds, 'allocation']).meta({
      description: '`allocation`: a server’s port, over TCP and UDP and, where its game allows it, by host name',
    }),
    url: z.string().meta({ description: 'The first of its addresses' }),
    addresses: z.array(z.string()).meta({
      description: 'Everything visitors can use, such as `http://web.acme.example.org`, `udp://example.org:30000`',
    }),
    open: z.boolean(),
    openSince: Time.nullable(),
    connections: z.int().meta({ description: 'Open at this moment' }),
    serverId: z.string().nullable().meta({ description: 'The server whose port it carries' }),
    createdAt: Time,
  })
  .meta({ id: 'Tunnel' })

/** Where an agent links to. */
export const EdgeAddress = z
  .strictObject({
    id: z.string(),
    host: z.string(),
    port: Port,
    pin: z.string().meta({ description: 'SHA-256 of its public key, base64url: accept no other' }),
    base: z.string(),
    region: z.string().meta({ description: 'Agents link to every edge of one region' }),
    online: z.boolean(),
  })
  .meta({ id: 'EdgeAddress' })

/** An edge as whoever runs the installation sees it. */
export const EdgeDetails = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    online: z.boolean(),
    draining: z.boolean().meta({ description: 'It ends soon: nobody new is sent there' }),
    lastLinked: Time.nullable().meta({ description: 'When its newest link began; null before the first' }),
    serves: z
      .strictObject({
        software: z.string(),
        host: z.string().meta({ description: 'Where raw ports are reached, and where agents dial' }),
        base: z.string().meta({ description: 'Host names of HTTP tunnels end in it' }),
        scheme: z.enum(['http', 'https']),
        httpPort: Port,
        linkPort: Port,
        minecraftPort: Port.nullable(),
        ports: z.strictObject({ first: Port, last: Port }),
        udp: z.boolean(),
        region: z.string(),
        pin: z.string(),
      })
      .nullable()
      .meta({ description: 'As it said last; null before its first link' }),
    tunnels: z.int().meta({ description: 'Open there at the moment' }),
    connections: z.int().meta({ description: 'Of visitors, at the moment' }),
    createdAt: Time,
  })
  .meta({ id: 'EdgeDetails' })

const base = { family: 'control', tag: 'Tunnels' } as const

export const tunnelOperations = {
  tunnels: operation({
    ...base,
    method: 'GET',
    path: '/tunnels',
    summary: 'The workspace’s tunnels, open ones and those whose name or port is kept for it',
    mcp: { tool: 'list_tunnels' },
    access: { workspace: 'tunnels.read' },
    reply: z.strictObject({ tunnels: z.array(Tunnel) }),
    errors: [],
  }),
  deleteTunnel: operation({
    ...base,
    method: 'DELETE',
    path: '/tunnels/{tunnel}',
    summary: 'Close a tunnel now and give up its name or port',
    mcp: { tool: 'close_tunnel' },
    access: { workspace: 'tunnels.close' },
    params: z.object({
      tunnel: z.string().meta({ description: 'Its id, such as `tun_4k2j9x0q1m5v7c3d`, or its name' }),
    }),
    reply: z.strictObject({ id: z.string(), closed: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
  edges: operation({
    ...base,
    method: 'GET',
    path: '/edges',
    summary: 'The edges that an agent can link to',
    access: { workspace: 'tunnels.open' },
    reply: z.strictObject({ edges: z.array(EdgeAddress) }),
    errors: [],
  }),
  edge: operation({
    ...base,
    method: 'GET',
    path: '/edges/{edge}',
    summary: 'One edge, by its id or name',
    access: 'instance',
    params: z.object({ edge: z.string().min(1).max(100) }),
    reply: EdgeDetails,
    errors: ['not_found'],
  }),
  createEdge: operation({
    ...base,
    method: 'POST',
    path: '/edges',
    summary: 'Register an edge; its credential goes into the edge’s configuration and is shown once',
    access: 'instance',
    body: z.strictObject({ name: z.string().trim().min(1).max(80) }),
    reply: z.strictObject({
      id: z.string(),
      name: z.string(),
      credential: z.string(),
      panel: z.strictObject({ port: Port, pin: z.string() }),
    }),
    errors: ['conflict'],
  }),
  deleteEdge: operation({
    ...base,
    method: 'DELETE',
    path: '/edges/{edge}',
    summary: 'Forget an edge; its credential stops working at once',
    access: 'instance',
    params: z.object({ edge: z.string() }),
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found'],
  }),
}
