import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { CommandError, command, UsageError } from '../../command.ts'
import { findServer } from '../servers/find.ts'
import { findBackup } from './find.ts'

/** How often it is asked how far it is, in ms. */
const askMs = 500

export const restoreBackup = command({
  path: 'backups restore',
  summary: 'Put a backup, or some files of it, back into a stopped server, and wait for it',
  args: [
    ['<server>', 'its name or id'],
    ['<backup>', 'its name or id'],
    ['[files...]', 'what to put back; everything without it'],
  ],
  flags: [
    ['--path <path...>', 'the same as files: a folder means everything in it'],
    ['--delete-others', 'first delete what is not in the backup'],
    ['--dry-run', 'only say what would happen'],
    ['--no-wait', 'return at once, while it is restored'],
    ['-y, --yes', 'yes, over the files that are there'],
  ],
  examples: [
    'pharos backups restore survival "Before the update" --yes',
    'pharos backups restore survival "Before the update" world/level.dat --dry-run',
    'pharos backups restore survival "Before the update" --path world/ --yes',
  ],
  options: z.object({
    server: z.string().min(1),
    backup: z.string().min(1),
    files: z.array(z.string().min(1)).default([]),
    path: z.array(z.string().min(1)).default([]),
    deleteOthers: z.boolean().default(false),
    dryRun: z.boolean().default(false),
    wait: z.boolean(),
    yes: z.boolean().default(false),
  }),
  async run({ server, backup: meant, files: named, path, deleteOthers, dryRun, wait, yes }, { connect, out, signal }) {
    if (!yes && !dryRun)
      throw new UsageError(
        `This replaces files of ${server}. Add --yes to do it, or --dry-run to see what would happen.`,
      )
    const files = [...named, ...path].map((one) => one.replace(/(?<=.)\/+$/, ''))
    const connection = await connect()
    const { client } = connection
    const serverId = await findServer(connection, server)
    const backup = await findBackup(connection, serverId, meant)
    const { message } = await client.restoreBackup({
      params: { serverId, backup },
      body: { deleteOthers, dryRun, ...(files.length === 0 ? {} : { files }) },
    })
    if (dryRun || !wait) return out.result({ backupId: backup, message }, () => message)
    let now = await client.server({ params: { serverId } })
    try {
      while (now.status === 'restoring') {
        out.progress(now.message ?? 'Restoring …')
        await systemClock.sleep(askMs, signal)
        now = await client.server({ params: { serverId } })
      }
    } finally {
      out.progress(null)
    }
    if (now.message !== null) throw new CommandError(now.message)
    out.result(
      { backupId: backup, status: now.status, message: 'Restored' },
      () => `Restored ${meant} into ${now.name}`,
    )
  },
})
