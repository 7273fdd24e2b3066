import { z } from 'zod'
import { type Connection, command } from '../../command.ts'
import { facts } from '../../output.ts'
import { findServer } from './find.ts'

const Named = z.object({ server: z.string().min(1) })
const args = [['<server>', 'its name or id']] as const

const players = command({
  path: 'servers players',
  summary: 'Show who plays on a server, as the game says it',
  args,
  examples: ['pharos servers players survival', 'pharos servers players 1a7ce997 --json'],
  options: Named,
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const found = await connection.client.players({ params: { serverId: await findServer(connection, server) } })
    out.result(found, () =>
      found.at === null
        ? (found.message ?? 'Nothing is known.')
        : facts([
            ['players', playersWords(found)],
            ['names', found.names.length > 0 ? found.names.join(', ') : null],
            ['says', found.description],
            ['version', found.version],
            ['latency', found.latencyMs === null ? null : `${found.latencyMs} ms from its node`],
            ['asked', found.at],
          ]),
    )
  },
})

const crashes = command({
  path: 'servers crashes',
  summary: 'Show when a server crashed or hung, how, and what its console said before',
  args,
  flags: [['--lines <n>', 'console lines to show of each']],
  examples: ['pharos servers crashes survival', 'pharos servers crashes survival --lines 40'],
  options: Named.extend({ lines: z.coerce.number().int().min(0).max(40).default(5) }),
  async run({ server, lines }, { connect, out }) {
    const connection = await connect()
    const found = await connection.client.crashes({ params: { serverId: await findServer(connection, server) } })
    out.result(found, () =>
      found.length === 0 ? 'It has not crashed yet.' : found.map((crash) => crashWords(crash, lines)).join('\n'),
    )
  },
})

const onHang = command({
  path: 'servers on-hang',
  summary: 'Say what happens when a server hangs: it is restarted, or only reported',
  args: [...args, ['<what>', 'restart or report']],
  examples: ['pharos servers on-hang survival restart'],
  options: Named.extend({ what: z.enum(['restart', 'report'], 'must be restart or report') }),
  async run({ server, what }, { connect, out }) {
    const connection = await connect()
    const changed = await connection.client.updateServer({
      params: { serverId: await findServer(connection, server) },
      body: { restartOnHang: what === 'restart' },
    })
    out.result(changed, () =>
      changed.restartOnHang
        ? `${changed.name} is restarted when it gives no sign of life any more`
        : `${changed.name} is left alone when it hangs; that is said in its activity`,
    )
  },
})

/** `servers players|crashes|on-hang` */
export const watchingCommands = [players, crashes, onHang]

type Players = Awaited<ReturnType<Connection['client']['players']>>
type Crash = Awaited<ReturnType<Connection['client']['crashes']>>[number]

const playersWords = ({ online, max }: Players): string =>
  online === null ? 'the game answers, but does not say it' : `${online}${max === null ? '' : ` of ${max}`}`

const crashWords = ({ at, message, lines }: Crash, most: number): string =>
  [`${at}  ${message}`, ...(most === 0 ? [] : lines.slice(-most).map((line) => `    ${line}`))].join('\n')
