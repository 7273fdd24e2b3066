import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { keepLive } from '../api/live.ts'
import { type Backup, backupSettingsQuery, backupsQuery } from './queries.ts'

/** Keeps the list of backups as it is: progress arrives by itself. What was missed while away is read again. */
export function useLiveBackups(serverId: string): void {
  const queries = useQueryClient()
  useEffect(() => {
    const readAgain = (): void => {
      void queries.invalidateQueries({ queryKey: backupsQuery(serverId).queryKey })
      void queries.invalidateQueries({ queryKey: backupSettingsQuery(serverId).queryKey })
    }
    const connection = keepLive(
      'serverEvents',
      { params: { serverId }, query: { backlog: 0 } },
      {
        onLiveness: (liveness) => liveness === 'live' && readAgain(),
        onMessage(event) {
          if (event.type !== 'backup') return
          const { backupId, state, percent, bytesDone, bytesTotal } = event
          const key = backupsQuery(serverId).queryKey
          const known = queries.getQueryData(key)?.some(({ id }) => id === backupId)
          // A list that is under way may be older than this news.
          if (!known || state === 'ready' || state === 'failed') return readAgain()
          queries.setQueryData(key, (all: Backup[] | undefined) =>
            all?.map((backup) =>
              backup.id === backupId ? { ...backup, state, progress: { percent, bytesDone, bytesTotal } } : backup,
            ),
          )
        },
      },
    )
    return () => connection[Symbol.dispose]()
  }, [queries, serverId])
}
