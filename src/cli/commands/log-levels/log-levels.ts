import { z } from 'zod'
import { LogLevel, logLevels } from '../../../contract/log-level.ts'
import { type Connection, command, UsageError } from '../../command.ts'
import { table } from '../../output.ts'
import { findNode } from '../nodes/find.ts'

const list = command({
  path: 'log-levels list',
  summary: 'Which logs say more or less than they were started with, and until when',
  examples: ['pharos log-levels list'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.logLevels()
    out.result(reply, () =>
      reply.levels.length === 0
        ? 'Every log is as it was started (--log-level).'
        : table(
            ['part', 'name', 'level', 'until'],
            reply.levels.map(({ kind, name, level, until }) => [kind, kind === 'panel' ? 'all' : name, level, until]),
          ),
    )
  },
})

const Part = { node: z.string().min(1).optional(), edge: z.string().min(1).optional() }
const partFlags = [
  ['--node <node>', 'of this node, instead of the panels'],
  ['--edge <edge>', 'of this edge'],
] as const

const set = command({
  path: 'log-levels set',
  summary: 'Log more or less for a while: the panels, a node or an edge; no restart, and it ends by itself',
  args: [['<level>', logLevels.join(', ')]],
  flags: [...partFlags, ['--minutes <minutes>', 'how long: 15 unless given, a day at most']],
  examples: ['pharos log-levels set debug --node attic', 'pharos log-levels set info --minutes 60'],
  options: z.object({
    level: LogLevel,
    ...Part,
    minutes: z.coerce.number('must be a number of minutes').int().min(1).max(1440).default(15),
  }),
  async run({ level, minutes, ...of }, { connect, out }) {
    const connection = await connect()
    const part = await partOf(connection, of)
    const reply = await connection.client.setLogLevel({ params: { part }, body: { level, minutes } })
    out.result(
      reply,
      () =>
        `The log of ${reply.kind === 'panel' ? 'every panel' : `${reply.kind} ${reply.name}`} is at ${level} until ${reply.until}${reply.reached ? '.' : ', as soon as it is back: it is away.'}`,
    )
  },
})

const reset = command({
  path: 'log-levels reset',
  summary: 'Log again what the panels, a node or an edge were started with',
  flags: partFlags,
  examples: ['pharos log-levels reset --node attic'],
  options: z.object(Part),
  async run(of, { connect, out }) {
    const connection = await connect()
    const reply = await connection.client.resetLogLevel({ params: { part: await partOf(connection, of) } })
    out.result(reply, () => 'The log is as it was started.')
  },
})

async function partOf(
  connection: Connection,
  { node, edge }: { node?: string | undefined; edge?: string | undefined },
): Promise<string> {
  if (node !== undefined && edge !== undefined) throw new UsageError('Name either --node or --edge.')
  if (node !== undefined) return (await findNode(connection, node)).id
  if (edge !== undefined) return (await connection.client.edge({ params: { edge } })).id
  return 'panel'
}

export const logLevelCommands = [list, set, reset]
