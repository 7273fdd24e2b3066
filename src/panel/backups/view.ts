import type { z } from 'zod'
import type { Backup } from '../../contract/api/backups.ts'
import type { BackupReport } from '../../contract/node-backups.ts'
import { isoTime } from '../../lib/clock.ts'
import type { BackupRow } from '../db/index.ts'

type View = z.input<typeof Backup>

/** What replies show of a backup. While it is being made, `live` is what its node said last. */
export function backupView(row: BackupRow, live: BackupReport | null): View {
  const running = live && (row.state === 'pending' || row.state === 'running') ? live : null
  const state = running?.state === 'running' ? 'running' : row.state
  return {
    id: row.id,
    name: row.name,
    size: row.size ?? 0,
    createdAt: isoTime(row.created_at),
    state,
    progress: progressOf(state, running ?? { bytesDone: row.bytes, bytesTotal: row.bytes }),
    message: row.message,
    locked: row.locked === 1,
    format: row.format,
    ignored: row.ignored,
    files: running?.files ?? row.files,
    checksum: row.checksum,
    completedAt: row.completed_at === null ? null : isoTime(row.completed_at),
  }
}

/** Never 100 before it is ready: the archive still has to be finished. */
export function progressOf(
  state: BackupRow['state'],
  { bytesDone, bytesTotal }: Pick<BackupReport, 'bytesDone' | 'bytesTotal'>,
): View['progress'] {
  const share = bytesTotal === 0 ? 0 : Math.floor((100 * bytesDone) / bytesTotal)
  return { percent: state === 'ready' ? 100 : Math.min(99, share), bytesDone, bytesTotal }
}
