import { z } from 'zod'
import { displayName, Port, Time } from '../fields.ts'
import { NodeCapabilities } from '../node.ts'
import { operation } from '../operation.ts'
import { Labels, OverAllocation } from '../placement.ts'

/** Of memory and disk in MiB, of CPU in cores. */
const Amounts = z.strictObject({ memory: z.int(), disk: z.int(), cpu: z.number() })

export const Node = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    online: z.boolean(),
    lastSeen: Time.nullable(),
    version: z.string().nullable(),
    hostname: z.string().nullable(),
    cpuCores: z.number().nullable(),
    memoryBytes: z.int().nullable(),
    diskFreeBytes: z.int().nullable(),
    capabilities: NodeCapabilities.nullable().meta({
      description: 'What the machine can enforce, and in words what it cannot',
    }),
    tooOldFor: z.array(z.string()).meta({
      description: 'What this panel can do and the machine’s program cannot, in words; empty while it is away',
      example: ['moving servers to other nodes'],
    }),
    publicAddress: z.string().nullable().meta({ description: 'Null: players come through an edge' }),
    ports: z.strictObject({ first: Port, last: Port }),
    servers: z.int(),
    labels: Labels,
    maintenance: z.boolean().meta({ description: 'It gets no new servers; those that it has go on' }),
    overAllocation: OverAllocation,
    allocated: Amounts.meta({ description: 'Promised to its servers, those that do not run too: MiB, MiB and cores' }),
    capacity: Amounts.nullable().meta({ description: 'What the machine has; null until it was here once' }),
    createdAt: Time,
  })
  .meta({ id: 'Node' })

const Ports = z
  .strictObject({ first: Port, last: Port })
  .refine((ports) => ports.first <= ports.last, 'first must not be above last')

const base = { family: 'control', tag: 'Nodes' } as const
const OfNode = z.object({ node: z.string() })

export const nodeAdminOperations = {
  nodes: operation({
    ...base,
    method: 'GET',
    path: '/nodes',
    summary: 'The machines that run servers',
    mcp: { tool: 'list_nodes' },
    access: 'instance',
    reply: z.strictObject({ nodes: z.array(Node) }),
    errors: [],
  }),
  node: operation({
    ...base,
    method: 'GET',
    path: '/nodes/{node}',
    summary: 'One machine',
    access: 'instance',
    params: OfNode,
    reply: Node,
    errors: ['not_found'],
  }),
  createNode: operation({
    ...base,
    method: 'POST',
    path: '/nodes',
    summary: 'Register a machine; `pharos node join` there asks for the token, which works once and expires in a day',
    description:
      '`command` is one line to paste into a shell of the machine. It hands the token over by standard input: a command line can be read by every user.',
    access: 'instance',
    body: z.strictObject({
      name: displayName(80),
      publicAddress: z.string().min(1).max(253).optional(),
      ports: Ports.optional(),
      labels: Labels.optional(),
    }),
    reply: z.strictObject({ node: Node, joinToken: z.string(), command: z.string() }),
    errors: ['conflict'],
  }),
  updateNode: operation({
    ...base,
    method: 'PATCH',
    path: '/nodes/{node}',
    summary: 'Change how servers are placed on a machine; what is not named stays',
    description:
      'In maintenance a machine gets no new servers and no transfers. Its servers go on, and their owners may start and stop them. `labels` replaces all labels.',
    access: 'instance',
    params: OfNode,
    body: z
      .strictObject({
        maintenance: z.boolean().optional(),
        labels: Labels.optional(),
        overAllocation: OverAllocation.partial().optional(),
      })
      .refine((body) => Object.keys(body).length > 0, 'must name something to change'),
    reply: Node,
    errors: ['not_found'],
  }),
  deleteNode: operation({
    ...base,
    method: 'DELETE',
    path: '/nodes/{node}',
    summary: 'Forget a machine that has no servers; its credential stops working at once',
    access: 'instance',
    params: OfNode,
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found', 'conflict'],
  }),
}
