import { z } from 'zod'
import { noControls } from '../fields.ts'
import { operation } from '../operation.ts'
import { Allocation, OfServer } from './servers.ts'

const Notes = z
  .string()
  .trim()
  .max(255)
  .regex(noControls, 'must not contain control characters')
  .meta({ description: 'For people; the empty string removes them', example: 'Main server port' })

const Message = z.strictObject({ message: z.string() })
const OfAllocation = OfServer.extend({ allocation: z.string().meta({ description: 'The allocation’s id' }) })
const base = { family: 'panel', tag: 'Network' } as const

export const networkOperations = {
  allocations: operation({
    ...base,
    method: 'GET',
    path: '/servers/{serverId}/network/allocations',
    summary: 'The ports of the server, with the addresses that players use',
    mcp: { tool: 'list_server_ports' },
    access: { server: 'network.read' },
    params: OfServer,
    reply: z.strictObject({ allocations: z.array(Allocation) }),
    errors: [],
  }),
  createAllocation: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/network/allocations',
    summary: 'Add a port: one of the node’s that nobody uses, and where the node has no public address one of an edge',
    description: 'The server finds it in its environment at its next start; a tunnel to it opens at once.',
    mcp: { tool: 'add_server_port' },
    access: { server: 'network.create' },
    params: OfServer,
    body: z.strictObject({ notes: Notes.optional() }).prefault({}),
    reply: z.strictObject({ message: z.string(), allocationId: z.string(), allocation: Allocation }),
    errors: ['conflict'],
  }),
  updateAllocation: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/network/allocations/{allocation}',
    summary: 'Change the notes of a port',
    access: { server: 'network.update' },
    params: OfAllocation,
    body: z.strictObject({ notes: Notes.optional() }).prefault({}),
    reply: z.strictObject({ port: z.int(), notes: z.string().nullable() }),
    errors: [],
  }),
  deleteAllocation: operation({
    ...base,
    method: 'DELETE',
    path: '/servers/{serverId}/network/allocations/{allocation}',
    summary: 'Give a port up; neither the primary one nor one that a running server may use',
    mcp: { tool: 'remove_server_port' },
    access: { server: 'network.delete' },
    params: OfAllocation,
    reply: Message,
    errors: ['conflict'],
  }),
  makePrimary: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/network/allocations/{allocation}/primary',
    summary: 'Make it the port that players connect to; the server listens there from its next start',
    access: { server: 'network.update' },
    params: OfAllocation,
    reply: Message,
    errors: [],
  }),
  changePort: operation({
    ...base,
    method: 'POST',
    path: '/servers/{serverId}/network/allocations/{allocation}/port',
    summary: 'Exchange the node’s port for another one that nobody uses',
    description:
      'For a port that a program outside of Pharos has taken. Id, notes and the edge’s port stay; the server must be stopped.',
    access: { server: 'network.update' },
    params: OfAllocation,
    reply: z.strictObject({ message: z.string(), allocation: Allocation }),
    errors: ['conflict'],
  }),
}
