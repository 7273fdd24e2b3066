import type { ServerDetails } from '../servers/queries.ts'
import type { Backup } from './queries.ts'

interface BackupSettings {
  limit: number
  current: number
  rotate: boolean
}

/** Whether one more backup may be made; where the oldest makes room for it, which one. The panel decides by the same rules. */
export type Room = { is: 'free' } | { is: 'rotates'; oldest: Backup } | { is: 'none' | 'full' | 'allLocked' }

export function roomFor(backups: readonly Backup[], settings: BackupSettings | undefined): Room {
  // Who may not see the limit is told by the panel.
  if (!settings || settings.current < settings.limit) return { is: 'free' }
  if (settings.limit === 0) return { is: 'none' }
  if (!settings.rotate) return { is: 'full' }
  const oldest = backups
    .filter(({ state, locked }) => state === 'ready' && !locked)
    .sort((left, right) => left.createdAt.localeCompare(right.createdAt))[0]
  return oldest ? { is: 'rotates', oldest } : { is: 'allLocked' }
}

/** What has to happen before files can be put back: nothing, that somebody stops the server, or that they wait or ask. */
export type Stopped =
  | 'is'
  | 'stop'
  | 'stopping'
  | 'restoring'
  | 'installing'
  | 'transferring'
  | 'installFailed'
  | 'suspended'
  | 'away'

export function stoppedState({ status, node }: Pick<ServerDetails, 'status' | 'node'>): Stopped {
  if (!node.online) return 'away'
  switch (status) {
    case 'offline':
    case 'sleeping':
      return 'is'
    case 'starting':
    case 'running':
      return 'stop'
    case 'stopping':
    case 'restoring':
    case 'installing':
    case 'transferring':
    case 'suspended':
      return status
    case 'install_failed':
      return 'installFailed'
    case 'unknown':
      return 'away'
  }
}
