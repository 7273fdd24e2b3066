import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { backupOperations, Backup as Declared } from '../../src/contract/api/backups.ts'
import { api } from '../api/api.ts'

export type Backup = z.output<typeof Declared>
export type BackupEntry = z.output<typeof backupOperations.backupFiles.reply>['entries'][number]

export const backupsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'backups'],
    queryFn: ({ signal }) => api.backups({ params: { serverId } }, { signal }),
  })

/** How many backups the server may have and has, and whether the oldest makes room. */
export const backupSettingsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'backup-settings'],
    queryFn: ({ signal }) => api.backupSettings({ params: { serverId } }, { signal }),
  })

/** How often it is asked how much of an archive has been read, ms: the panel itself waits a moment before it says so. */
const readingEveryMs = 500

/** What a folder of a backup holds; asked again while its archive is being read. A backup never changes: what was read once is read. */
export const backupFilesQuery = (serverId: string, backup: string, path: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'backup-files', backup, path],
    queryFn: ({ signal }) => api.backupFiles({ params: { serverId, backup }, query: { path } }, { signal }),
    staleTime: ({ state }) => (state.data?.reading ? 0 : Number.POSITIVE_INFINITY),
    refetchInterval: ({ state }) => (state.data?.reading ? readingEveryMs : false),
    retry: false,
  })

/** How often a check that is under way is asked about, ms. */
const checkedEveryMs = 2_000

/** The last check of the incremental backups; asked again while one is under way. */
export const verificationQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'backup-verification'],
    queryFn: ({ signal }) => api.backupVerification({ params: { serverId } }, { signal }),
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? checkedEveryMs : false),
  })
