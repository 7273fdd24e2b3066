import { z } from 'zod'
import { systemClock } from '../../../lib/clock.ts'
import { CommandError, command, UsageError } from '../../command.ts'
import { download } from '../../download.ts'
import { bytes, table } from '../../output.ts'
import { findServer } from '../servers/find.ts'
import { backupFiles } from './files.ts'
import { findBackup } from './find.ts'
import { verifyBackups } from './verify.ts'

const ofServer = ['<server>', 'its name or id'] as const
const ofBackup = ['<backup>', 'its name or id'] as const
const Named = z.object({ server: z.string().min(1), backup: z.string().min(1) })

/** How often it is asked how far it is, in ms. */
const askMs = 500

const list = command({
  path: 'backups list',
  summary: 'List the backups of a server, newest first',
  args: [ofServer],
  examples: ['pharos backups list survival'],
  options: z.object({ server: z.string().min(1) }),
  async run({ server }, { connect, out }) {
    const connection = await connect()
    const backups = await connection.client.backups({ params: { serverId: await findServer(connection, server) } })
    out.result(backups, () =>
      backups.length === 0
        ? `No backups yet. "pharos backups create ${server}" makes one.`
        : table(
            ['id', 'name', 'state', 'size', 'of files', 'made', ''],
            backups.map((one) => [
              one.id,
              one.name,
              one.state === 'running' ? `${one.progress.percent} %` : one.state,
              one.size > 0 ? `${one.format === 'restic' ? '+' : ''}${bytes(one.size)}` : '-',
              one.progress.bytesTotal > 0 ? bytes(one.progress.bytesTotal) : '-',
              one.createdAt,
              one.locked ? 'locked' : '',
            ]),
          ),
    )
  },
})

const create = command({
  path: 'backups create',
  summary: 'Back up a server, running or not',
  args: [ofServer, ['[name]', 'what to call it']],
  flags: [
    ['--wait', 'until it is ready'],
    ['--ignore <pattern...>', 'what to leave out, in the syntax of .gitignore'],
    ['--format <format>', 'zstd or gzip, or restic: only what has changed; what the installation says without it'],
    ['--lock', 'keep it: neither deleted by hand nor by rotation'],
  ],
  examples: [
    'pharos backups create survival "Before the update" --wait',
    'pharos backups create survival --ignore "*.log"',
  ],
  options: z.object({
    server: z.string().min(1),
    name: z.string().min(1).optional(),
    wait: z.boolean().default(false),
    ignore: z.array(z.string()).default([]),
    format: z.enum(['zstd', 'gzip', 'restic']).optional(),
    lock: z.boolean().default(false),
  }),
  async run({ server, name, wait, ignore, format, lock }, { connect, out, signal }) {
    const connection = await connect()
    const params = { serverId: await findServer(connection, server) }
    const { message, backupId } = await connection.client.createBackup({
      params,
      body: {
        ...{ locked: lock, ignored: ignore.join('\n') },
        ...(format !== undefined && { format }),
        ...(name !== undefined && { name }),
      },
    })
    if (!wait) return out.result({ backupId, message }, () => `${backupId}: ${message}`)
    const ask = () => connection.client.backup({ params: { ...params, backup: backupId } })
    let backup = await ask()
    try {
      while (backup.state === 'pending' || backup.state === 'running') {
        const { percent, bytesDone, bytesTotal } = backup.progress
        out.progress(`${percent} %, ${bytes(bytesDone)} of ${bytes(bytesTotal)}`)
        await systemClock.sleep(askMs, signal)
        backup = await ask()
      }
    } finally {
      out.progress(null)
    }
    if (backup.state === 'failed') throw new CommandError(backup.message ?? 'It failed, and nobody knows why.')
    if (backup.message !== null) out.talk(backup.message)
    const { size, files, progress } = backup
    out.result(backup, () =>
      backup.format === 'restic'
        ? `${backupId}: ${files} files, ${bytes(progress.bytesTotal)}; ${bytes(size)} of it are new`
        : `${backupId}: ${files} files in ${bytes(size)}`,
    )
  },
})

const get = command({
  path: 'backups download',
  summary: 'Download the archive of a backup, which any tar opens',
  args: [ofServer, ofBackup, ['[file]', 'where to on this machine; its id in this folder without it']],
  flags: [['-f, --force', 'replace a file of this machine']],
  examples: ['pharos backups download survival "Before the update" survival.tar.zst'],
  options: Named.extend({ file: z.string().min(1).optional(), force: z.boolean().default(false) }),
  async run({ server, backup: meant, file, force }, { connect, out, signal, path }) {
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const params = { serverId, backup: await findBackup(connection, serverId, meant) }
    const { format } = await connection.client.backup({ params })
    const { downloadUrl } = await connection.client.downloadBackup({ params })
    const target = path(file ?? `${params.backup}.tar.${format === 'gzip' ? 'gz' : 'zst'}`)
    const size = await download({ url: new URL(downloadUrl, connection.url), file: target, force, out, signal })
    out.result({ file: target, size }, () => `${target} (${bytes(size)})`)
  },
})

const locks = (['lock', 'unlock'] as const).map((verb) =>
  command({
    path: `backups ${verb}`,
    summary:
      verb === 'lock' ? 'Keep a backup: neither deleted by hand nor by rotation' : 'Let a backup be deleted again',
    args: [ofServer, ofBackup],
    examples: [`pharos backups ${verb} survival "Before the update"`],
    options: Named,
    async run({ server, backup: meant }, { connect, out }) {
      const connection = await connect()
      const serverId = await findServer(connection, server)
      const params = { serverId, backup: await findBackup(connection, serverId, meant) }
      const { client } = connection
      const { message } = await (verb === 'lock' ? client.lockBackup({ params }) : client.unlockBackup({ params }))
      out.result({ backupId: params.backup, locked: verb === 'lock', message }, () => message)
    },
  }),
)

const remove = command({
  path: 'backups delete',
  summary: 'Delete a backup; one that is being made is cancelled',
  args: [ofServer, ofBackup],
  flags: [['-y, --yes', 'yes, for ever']],
  examples: ['pharos backups delete survival "Before the update" --yes'],
  options: Named.extend({ yes: z.boolean().default(false) }),
  async run({ server, backup: meant, yes }, { connect, out }) {
    if (!yes) throw new UsageError(`This deletes backup ${meant} for ever. Add --yes to do it.`)
    const connection = await connect()
    const serverId = await findServer(connection, server)
    const params = { serverId, backup: await findBackup(connection, serverId, meant) }
    const { message } = await connection.client.deleteBackup({ params })
    out.result({ backupId: params.backup, message }, () => message)
  },
})

/** `backups list|create|download|lock|unlock|delete|files|verify` */
export const backupCommands = [list, create, get, ...locks, remove, backupFiles, verifyBackups]
