import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { CommandError, type Connection, command, type Tools, UsageError } from '../../command.ts'
import { bytes } from '../../output.ts'
import { findNode } from '../nodes/find.ts'
import { findServer } from './find.ts'

/** How often it is asked how far a transfer is, in ms. */
const askMs = 500

type Transfer = NonNullable<Awaited<ReturnType<Connection['client']['serverTransfer']>>['transfer']>

export const transferServer = command({
  path: 'servers transfer',
  summary: 'Move a server to another node, and follow that to its end',
  description:
    'It is stopped, its files and the databases on its node are copied and compared, and only then it becomes the other node’s; it starts there if it ran. Backups on its node follow while it runs. Ctrl-C stops following: the transfer goes on.',
  args: [['<server>', 'its name or id']],
  flags: [
    ['--to <node>', 'name or id of the target; the best one without it'],
    ['--no-start', 'leave it stopped there'],
    ['--no-wait', 'return at once'],
    ['--cancel', 'cancel the transfer that is under way: the server stays where it is'],
  ],
  examples: ['pharos servers transfer survival --to rack2', 'pharos servers transfer survival --cancel'],
  options: z.object({
    server: z.string().min(1),
    to: z.string().min(1).optional(),
    start: z.boolean(),
    wait: z.boolean(),
    cancel: z.boolean().default(false),
  }),
  async run({ server, to, start, wait, cancel }, tools) {
    if (cancel && to !== undefined) throw new UsageError('--cancel goes with no --to.')
    const connection = await tools.connect()
    const { client } = connection
    const params = { serverId: await findServer(connection, server) }
    if (cancel) {
      const reply = await client.cancelTransfer({ params })
      return tools.out.result(reply, () => reply.message)
    }
    const node = to === undefined ? undefined : (await findNode(connection, to)).id
    const begun = await client.transferServer({
      params,
      body: { ...(node !== undefined && { node }), ...(start ? {} : { start: false }) },
    })
    tools.out.talk(`${begun.server.name} moves from ${begun.from.name} to ${begun.to.name}`)
    const transfer = wait ? await followTransfers(connection, [begun], tools).then(([one]) => one ?? begun) : begun
    if (transfer.stage === 'failed' || transfer.stage === 'cancelled')
      throw new CommandError(`${transfer.server.name} stays on ${transfer.from.name}: ${transfer.message ?? ''}`)
    tools.out.result(transfer, () => `${transfer.server.name}: ${transferWords(transfer)}`)
  },
})

/** Shows how far they are until all of them have ended. */
export async function followTransfers(
  { client }: Connection,
  begun: readonly Transfer[],
  { out, signal }: Pick<Tools, 'out' | 'signal'>,
): Promise<Transfer[]> {
  const told = new Map<string, string>()
  let transfers = [...begun]
  try {
    while (transfers.some(({ endedAt }) => endedAt === null)) {
      await systemClock.sleep(askMs, signal)
      transfers = await Promise.all(
        transfers.map(async (known) => {
          if (known.endedAt !== null) return known
          const params = { serverId: known.server.id.replace('servers/', '') }
          const { transfer } = await client.serverTransfer({ params })
          return transfer?.id === known.id ? transfer : known
        }),
      )
      for (const transfer of transfers) {
        const words = `${transfer.stage}${transfer.message ? `: ${transfer.message}` : ''}`
        if (told.get(transfer.id) === words) continue
        told.set(transfer.id, words)
        out.progress(null)
        out.talk(`${transfer.server.name}: ${words}`)
      }
      const copying = transfers.filter(({ stage }) => stage === 'copying')
      if (copying.length > 0) out.progress(copying.map((one) => `${one.server.name} ${transferWords(one)}`).join('; '))
    }
  } finally {
    out.progress(null)
  }
  return transfers
}

/** `43 %, 120.0 MiB of 280.3 MiB` */
export function transferWords({ stage, percent, bytesDone, bytesTotal, to, message }: Transfer): string {
  if (stage === 'done') return `on ${to.name} now, ${bytes(bytesTotal)} of files`
  if (stage === 'copying') return `${percent} %, ${bytes(bytesDone)} of ${bytes(bytesTotal)}`
  return message ?? stage
}
