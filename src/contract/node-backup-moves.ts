import { z } from 'zod'
import { archiveFormats, BackupKey, BackupReport, RepositoryKey } from './node-backups.ts'
import { transfer } from './operation.ts'

/**
 * Panel → node: backups that are kept on a node follow their server to another one. The panel reads them from the node that keeps them
 * and hands them on to the one that has the server; what is not what was made is refused there. Everything may be repeated.
 */

const OfServer = z.object({ server: z.string().regex(/^[0-9a-f]{8}$/) })
const OfBackup = OfServer.extend({ backup: BackupKey })
const Checksum = z.string().regex(/^[0-9a-f]{64}$/)
const base = { family: 'internal', access: 'peer', tag: 'Node' } as const

/** In an address, where everything is text. */
const Count = z.coerce.number().int().min(0)

export const nodeBackupMoves = {
  arrivingBackup: transfer({
    ...base,
    method: 'PUT',
    path: '/servers/{server}/backups/{backup}/content',
    summary: 'An archive that another node made; answered once it is on the disk, and is what was made',
    params: OfBackup,
    query: z.object({
      format: z.enum(archiveFormats),
      checksum: Checksum,
      size: Count,
      /** Of the files in it. */
      bytes: Count,
      files: Count,
    }),
    takes: ['application/octet-stream'],
    reply: BackupReport,
    errors: ['not_found', 'conflict'],
  }),
  repositoryContent: transfer({
    ...base,
    method: 'GET',
    path: '/servers/{server}/repository/content',
    summary: 'All files of a repository, as tar; it holds no key that is not sealed by its password',
    params: OfServer,
    query: z.object({ repository: RepositoryKey.optional() }),
    gives: 'application/octet-stream',
    errors: ['conflict'],
  }),
  arrivingRepository: transfer({
    ...base,
    method: 'PUT',
    path: '/servers/{server}/repositories/{repository}/content',
    summary:
      'A repository of another node; answered once each of its files is on the disk and is what its name says. Replaces what came before',
    params: OfServer.extend({ repository: RepositoryKey }),
    takes: ['application/octet-stream'],
    reply: z.strictObject({}),
    errors: ['not_found', 'conflict'],
  }),
}
