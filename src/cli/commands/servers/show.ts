import { z } from 'zod'
import { type Connection, command } from '../../command.ts'
import { bytes, facts } from '../../output.ts'
import { findServer } from './find.ts'

export const showServer = command({
  path: 'servers show',
  summary: 'Show one server with its live usage and addresses',
  args: [['<server>', 'its name or id']],
  examples: ['pharos servers show survival', 'pharos servers show 1a7ce997 --json'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const found = await connection.client.server({ params: { serverId: await findServer(connection, server) } })
    out.result(found, () => describe(found))
  },
})

type Server = Awaited<ReturnType<Connection['client']['server']>>

/** A server in words, one fact a line. */
export function describe(server: Server): string {
  const { usage, lastExit, resources } = server
  return facts([
    ['id', server.id],
    ['name', server.name],
    ['status', server.status],
    ['message', server.message],
    ['address', server.address],
    ['template', server.template],
    [
      'node',
      `${server.node.name}${server.node.online ? '' : ' (away)'}${server.node.maintenance ? ' (in maintenance)' : ''}`,
    ],
    [
      'runs in',
      server.runtime === 'sandbox' ? 'the sandbox' : `a container${server.image ? ` of ${server.image}` : ''}`,
    ],
    ['limits', `${resources.memory} MiB memory, ${resources.disk} MiB disk, ${resources.cpu} cores`],
    [
      'usage',
      usage && `${bytes(usage.memoryBytes)} memory, ${bytes(usage.diskBytes)} disk, ${usage.cpuCores.toFixed(2)} cores`,
    ],
    [
      'players',
      usage?.players ? `${usage.players.online}${usage.players.max === null ? '' : ` of ${usage.players.max}`}` : null,
    ],
    [
      'sleeps',
      server.wakeOnConnect.enabled ? `after ${server.wakeOnConnect.idleMinutes} minutes without anybody` : null,
    ],
    [
      'last exit',
      lastExit &&
        `${lastExit.code ?? lastExit.signal ?? 'unknown'}${lastExit.crashed ? ', crashed' : ''}, ${lastExit.at}`,
    ],
    ['owner', server.owner],
    ['workspace', server.workspace],
    ['created', server.createdAt],
  ])
}
