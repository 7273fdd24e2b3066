import type { backupOperations, backupTransfers } from '../../contract/api/backups.ts'
import type { RepositoryCheck } from '../../contract/node-backups.ts'
import type { Handlers, TransferHandlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Backups } from './backups.ts'
import type { Downloads } from './download.ts'
import { backupView } from './view.ts'

export function backupHandlers({
  backups,
  downloads,
}: {
  backups: Backups
  downloads: Downloads
}): Handlers<typeof backupOperations, PanelContexts> {
  return {
    backups: async ({ server }) => (await backups.all(server.row)).map(({ row, live }) => backupView(row, live)),
    createBackup: async ({ server, body }) => ({
      message: 'Backup created',
      backupId: await backups.create(server.row, body),
    }),
    backup: async ({ server, params }) => {
      const { row, live } = await backups.one(server.row, params.backup)
      const { id, ...view } = backupView(row, live)
      return { backupId: id, ...view }
    },
    deleteBackup: async ({ server, params }) => {
      const done = await backups.delete(server.row, params.backup)
      return { message: done ? 'Backup deleted successfully' : 'Backup deletion initiated: it is finished later' }
    },
    downloadBackup: async ({ caller, server, params }) => ({
      downloadUrl: await downloads.link(caller, server, params.backup),
    }),
    restoreBackup: async ({ server, params, body }) => ({
      message: await backups.restore(server.row, params.backup, body),
    }),
    lockBackup: async ({ server, params }) => {
      const { name } = await backups.setLocked(server.row, params.backup, true)
      return { message: `Backup ${name} is locked` }
    },
    unlockBackup: async ({ server, params }) => {
      const { name } = await backups.setLocked(server.row, params.backup, false)
      return { message: `Backup ${name} is not locked any more` }
    },
    backupFiles: async ({ server, params, query }) => {
      const { entries, more, reading } = await backups.files(server.row, params.backup, query.path)
      return {
        entries: entries.map(({ modifiedAt, ...entry }) => ({ ...entry, modifiedAt: isoTime(modifiedAt) })),
        more,
        reading,
      }
    },
    verifyBackups: async ({ server, body }) => checkView(await backups.check(server.row, body.readData)),
    backupVerification: async ({ server }) => {
      const last = await backups.lastCheck(server.row)
      return last ? checkView(last) : neverChecked
    },
    backupSettings: ({ server }) => backups.settings(server.row),
    updateBackupSettings: async ({ server, body }) => {
      await backups.setRotate(server.row, body.rotate)
      return { message: body.rotate ? 'The oldest unlocked backup makes room now' : 'Rotation is off' }
    },
  }
}

export const backupTransferHandlers = (
  downloads: Downloads,
): TransferHandlers<typeof backupTransfers, PanelContexts> => ({
  backupContent: ({ caller, server, ticket, params, request }) =>
    downloads.content({ caller, server, ticket }, params.backup, request),
})

const neverChecked = {
  state: 'never',
  ...{ message: null, backups: null, storedBytes: null, startedAt: null, endedAt: null },
} as const

const checkView = ({ startedAt, endedAt, ...check }: RepositoryCheck) => ({
  ...check,
  startedAt: isoTime(startedAt),
  endedAt: endedAt === null ? null : isoTime(endedAt),
})
