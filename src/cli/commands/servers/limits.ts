import { z } from 'zod'
import { command } from '../../command.ts'
import { facts } from '../../output.ts'
import { findServer } from './find.ts'

const Count = z.coerce.number().int().min(0).optional()

export const serverLimits = command({
  path: 'servers limits',
  summary: 'Show the limits of a server, or change those that are named',
  description: 'For administrators of the installation. Servers of others are named by their id.',
  args: [['<server>', 'its name or id']],
  flags: [
    ['--memory <MiB>', 'memory'],
    ['--disk <MiB>', 'disk'],
    ['--cpu <cores>', 'CPU'],
    ['--ports <count>', 'ports'],
    ['--backups <count>', 'backups'],
    ['--databases <count>', 'databases'],
    ['--schedules <count>', 'schedules'],
  ],
  examples: ['pharos servers limits survival', 'pharos servers limits survival --memory 4096 --disk 20000'],
  options: z.object({
    server: z.string().min(1),
    memory: Count,
    disk: Count,
    cpu: z.coerce.number().positive().optional(),
    ports: Count,
    backups: Count,
    databases: Count,
    schedules: Count,
  }),
  async run({ server, ports, ...named }, { connect, out }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const wanted = Object.entries({ ...named, allocations: ports }).filter(([, limit]) => limit !== undefined)
    const changed =
      wanted.length === 0
        ? null
        : await connection.client.updateServerLimits({ params, body: Object.fromEntries(wanted) })
    if (changed) out.talk(changed.message)
    const limits = changed?.limits ?? (await connection.client.serverLimits({ params }))
    out.result(limits, () =>
      facts([
        ['id', limits.id],
        ['name', limits.name],
        ['memory', `${limits.memory} MiB`],
        ['disk', `${limits.disk} MiB`],
        ['CPU', `${limits.cpu} cores`],
        ['ports', String(limits.allocations)],
        ['backups', String(limits.backups)],
        ['databases', String(limits.databases)],
        ['schedules', String(limits.schedules)],
      ]),
    )
  },
})
