import { z } from 'zod'
import { CommandError, type Connection, command } from '../../command.ts'
import { table } from '../../output.ts'
import { findServer } from './find.ts'

type Allocation = Awaited<ReturnType<Connection['client']['allocations']>>['allocations'][number]

const server: [string, string] = ['<server>', 'its name or id']
const port: [string, string] = ['<port>', 'the port that players use, or the allocation’s id']
const OfPort = z.object({ server: z.string().min(1), port: z.string().min(1) })

/** `servers ports|add-port|remove-port|primary-port|change-port` */
export const portCommands = [
  command({
    path: 'servers ports',
    summary: 'List the ports of a server',
    args: [server],
    examples: ['pharos servers ports survival'],
    options: z.object({ server: z.string().min(1) }),
    async run({ server: meant }, { connect, out }) {
      const connection = await connect()
      const { allocations } = await connection.client.allocations({
        params: { serverId: await findServer(connection, meant) },
      })
      out.result(allocations, () =>
        table(
          ['address', 'on the node', 'primary', 'notes'],
          allocations.map(({ ip, port: outside, local, primary, notes }) => [
            `${ip}:${outside}`,
            String(local),
            primary ? 'yes' : '',
            notes ?? '',
          ]),
        ),
      )
    },
  }),
  command({
    path: 'servers add-port',
    summary: 'Give a server another port',
    args: [server],
    examples: ['pharos servers add-port survival'],
    options: z.object({ server: z.string().min(1) }),
    async run({ server: meant }, { connect, out }) {
      const connection = await connect()
      const serverId = await findServer(connection, meant)
      const { allocation } = await connection.client.createAllocation({ params: { serverId } })
      out.result(allocation, () => `Port added: ${allocation.ip}:${allocation.port}`)
    },
  }),
  command({
    path: 'servers remove-port',
    summary: 'Give up a port of a stopped server',
    args: [server, port],
    examples: ['pharos servers remove-port survival 25566'],
    options: OfPort,
    async run({ server: meant, port: wanted }, { connect, out }) {
      const connection = await connect()
      const params = await findPort(connection, meant, wanted)
      const { message } = await connection.client.deleteAllocation({ params })
      out.result({ id: params.allocation, message }, () => message)
    },
  }),
  command({
    path: 'servers primary-port',
    summary: 'Choose the port that players connect to',
    args: [server, port],
    examples: ['pharos servers primary-port survival 25566'],
    options: OfPort,
    async run({ server: meant, port: wanted }, { connect, out }) {
      const connection = await connect()
      const params = await findPort(connection, meant, wanted)
      const { message } = await connection.client.makePrimary({ params })
      out.result({ id: params.allocation, message }, () => `${message}; in force from the next start`)
    },
  }),
  command({
    path: 'servers change-port',
    summary: 'Exchange a port that another program of the machine has taken',
    args: [server, port],
    examples: ['pharos servers change-port survival 25565'],
    options: OfPort,
    async run({ server: meant, port: wanted }, { connect, out }) {
      const connection = await connect()
      const params = await findPort(connection, meant, wanted)
      const { message, allocation } = await connection.client.changePort({ params })
      out.result(allocation, () => message)
    },
  }),
]

async function findPort(
  connection: Connection,
  meant: string,
  wanted: string,
): Promise<{ serverId: string; allocation: string }> {
  const serverId = await findServer(connection, meant)
  const { allocations } = await connection.client.allocations({ params: { serverId } })
  const means = ({ id, port: outside }: Allocation): boolean => id === wanted || String(outside) === wanted
  const found = allocations.find(means)
  if (!found)
    throw new CommandError(
      `It has no port ${wanted}. It has ${allocations.map((allocation) => allocation.port).join(', ')}.`,
    )
  return { serverId, allocation: found.id }
}
