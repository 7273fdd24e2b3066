import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'
import { OfServer } from './servers.ts'

export const ServerPlayers = z
  .strictObject({
    online: z.int().nullable().meta({ description: 'Null where the game does not say it, or is not asked' }),
    max: z.int().nullable(),
    names: z
      .array(z.string())
      .meta({ description: 'Of those that the game names, which may be some of them; as players wrote them' }),
    description: z.string().nullable().meta({ description: 'What players read in their list of servers' }),
    version: z.string().nullable().meta({ description: 'Of the game, as it says it' }),
    latencyMs: z.int().nullable().meta({ description: 'How long the game took to answer its node' }),
    at: Time.nullable().meta({ description: 'When it answered last; null where nothing is known' }),
    message: z.string().nullable().meta({ description: 'Why nothing is known, in words' }),
  })
  .meta({ id: 'ServerPlayers' })

export const ServerCrash = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['crash', 'hang']).meta({ description: 'hang: it ran and gave no sign of life any more' }),
    at: Time,
    message: z.string().meta({ description: 'What happened, in words' }),
    code: z.int().nullable().meta({ description: 'The exit code of a crash' }),
    signal: z.string().nullable(),
    outOfMemory: z.boolean(),
    restarted: z.boolean().meta({ description: 'Of a hang: the node restarted it' }),
    lines: z.array(z.string()).meta({ description: 'The last lines of its console before, oldest first' }),
  })
  .meta({ id: 'ServerCrash' })

export const watchingOperations = {
  players: operation({
    method: 'GET',
    path: '/servers/{serverId}/players',
    family: 'panel',
    tag: 'Servers',
    summary: 'Who plays at this moment, as the game says it',
    mcp: { tool: 'get_players', strangers: 'what the game and its players say of themselves' },
    access: { server: 'visible' },
    params: OfServer,
    reply: ServerPlayers,
    errors: [],
  }),
  crashes: operation({
    method: 'GET',
    path: '/servers/{serverId}/crashes',
    family: 'panel',
    tag: 'Servers',
    summary: 'When the server crashed or hung, how, and what its console said before; newest first',
    description: 'The last fifty of ninety days. Whoever may read the console may read these lines of it.',
    mcp: { tool: 'list_crashes', strangers: 'what the game printed' },
    access: { server: 'console.read' },
    params: OfServer,
    reply: z.array(ServerCrash),
    errors: [],
  }),
}
