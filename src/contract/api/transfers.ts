import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { transferStages } from '../transfer-stages.ts'
import { OfServer, ServerId } from './servers.ts'

const NodeName = z.strictObject({ id: z.string(), name: z.string() })

export const Transfer = z
  .strictObject({
    id: z.string(),
    server: z.strictObject({ id: ServerId, name: z.string() }),
    from: NodeName,
    to: NodeName,
    stage: z.enum(transferStages).meta({
      description:
        'Until `switching` the server is the source’s and the transfer can be cancelled; `done` it is the target’s',
    }),
    percent: z.int().meta({ description: 'Of its files, then of its databases too, that have been copied' }),
    bytesDone: z.int(),
    bytesTotal: z.int(),
    attempts: z.int().meta({ description: 'How often copying has begun' }),
    message: z.string().nullable().meta({ description: 'What is waited for, or went wrong, in words' }),
    createdAt: Time,
    endedAt: Time.nullable(),
  })
  .meta({ id: 'Transfer' })

const panel = { family: 'panel', tag: 'Transfers' } as const
const control = { family: 'control', tag: 'Nodes' } as const

export const transferOperations = {
  transferServer: operation({
    ...panel,
    method: 'POST',
    path: '/servers/{serverId}/transfer',
    summary: 'Move a server to another node; what follows is told by events',
    description:
      'It is stopped, its files and the databases on its node are copied and compared, and only when the target has all of them it becomes the target’s; until then nothing is lost by whatever happens. Its ports become ports of the target, the port of its databases may be another one; schedules and people stay, and backups on its node follow while it runs. Only administrators of this installation can.',
    access: 'instance',
    params: OfServer,
    body: z.strictObject({
      node: z.string().optional().meta({ description: 'Id of the target; without it the best one' }),
      start: z.boolean().optional().meta({ description: 'Start it there; without it, if it ran before' }),
    }),
    reply: Transfer,
    errors: ['not_found', 'conflict'],
  }),
  serverTransfer: operation({
    ...panel,
    method: 'GET',
    path: '/servers/{serverId}/transfer',
    summary: 'The last move of this server to another node, or the one under way',
    access: { server: 'visible' },
    params: OfServer,
    reply: z.strictObject({ transfer: Transfer.nullable() }),
    errors: [],
  }),
  cancelTransfer: operation({
    ...panel,
    method: 'DELETE',
    path: '/servers/{serverId}/transfer',
    summary: 'Cancel a move: the server stays where it is, and starts again if it ran',
    access: 'instance',
    params: OfServer,
    reply: z.strictObject({ message: z.string() }),
    errors: ['not_found', 'conflict'],
  }),
}

export const drainOperations = {
  transfers: operation({
    ...control,
    method: 'GET',
    path: '/transfers',
    summary: 'The moves of servers that are under way or waiting, oldest first',
    access: 'instance',
    reply: z.strictObject({ transfers: z.array(Transfer) }),
    errors: [],
  }),
  drainNode: operation({
    ...control,
    method: 'POST',
    path: '/nodes/{node}/drain',
    summary: 'Put a machine into maintenance and move all of its servers to others, a few at a time',
    access: 'instance',
    params: z.object({ node: z.string() }),
    reply: z.strictObject({
      transfers: z.array(Transfer),
      refused: z.array(z.strictObject({ server: ServerId, name: z.string(), reason: z.string() })),
    }),
    errors: ['not_found'],
  }),
}
