import { createReadStream } from 'node:fs'
import { nodeBackupOperations, nodeBackupTransfers } from '../../contract/node-backups.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part, ranged, transferPart } from '../../http/index.ts'
import type { Backups } from './backups.ts'

/** What panels ask of backups. */
export const backupPart = (backups: Backups): ApiPart =>
  part<typeof nodeBackupOperations, Contexts>(nodeBackupOperations, {
    startBackup: ({ params, body }) => backups.start(params.server, params.backup, body),
    backup: ({ params }) => backups.report(params.server, params.backup),
    async removeBackup({ params }) {
      await backups.remove(params.server, params.backup)
      return {}
    },
    async restoreBackup({ params, body }) {
      await backups.restore(params.server, params.backup, body)
      return {}
    },
    async forgetBackup({ params, body }) {
      await backups.forget(params.server, params.backup, body)
      return {}
    },
    backupFiles: ({ params, body }) => backups.files(params.server, body),
    archiveFiles: ({ params, body }) => backups.archiveFiles(params.server, params.backup, body),
    openBackup: ({ params, body }) => ({ pass: backups.admit(params.server, params.backup, body) }),
    checkRepository: ({ params, body }) => backups.checkRepository(params.server, body),
    repositoryCheck: ({ params }) => backups.repositoryCheck(params.server),
  })

/** Archives that are kept on this machine, and snapshots as archives. */
export const backupContentPart = (backups: Backups): ApiPart =>
  transferPart<typeof nodeBackupTransfers, Contexts>(nodeBackupTransfers, {
    async backupContent({ params, request }) {
      const { path, size, checksum } = await backups.archive(params.server, params.backup)
      return ranged(
        {
          sizeBytes: size,
          etag: `"${checksum}"`,
          open: (start, end) => createReadStream(path, { start, end, highWaterMark: readBytes }),
        },
        request,
        { 'content-type': 'application/octet-stream' },
      )
    },
    async backupDump({ params, query }) {
      const { content } = backups.dump(params.server, params.backup, query.pass)
      return { status: 200, headers: { 'content-type': 'application/octet-stream' }, content }
    },
  })

/** One read of an archive, in bytes. */
const readBytes = 256 * 1024
