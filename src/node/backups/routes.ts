import { createReadStream } from 'node:fs'
import { nodeBackupMoves } from '../../contract/node-backup-moves.ts'
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

/** Archives that come from another node. */
export const arrivingBackupPart = (backups: Backups): ApiPart =>
  transferPart<typeof nodeBackupMoves, Contexts>(nodeBackupMoves, {
    arrivingBackup: ({ params, query, content }) => backups.take(params.server, params.backup, query, content),
    repositoryContent: ({ params, query }) => ({
      headers: { 'content-type': 'application/octet-stream' },
      content: backups.repositoryContent(params.server, query.repository),
    }),
    async arrivingRepository({ params, content }) {
      await backups.takeRepository(params.server, params.repository, content)
      return {}
    },
  })

/** One read of an archive, in bytes. */
const readBytes = 256 * 1024
