import { queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { Backup as Declared } from '../../src/contract/api/backups.ts'
import { api } from '../api/api.ts'

export type Backup = z.output<typeof Declared>

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
