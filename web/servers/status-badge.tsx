import type { ServerStatus } from '../../src/contract/power.ts'
import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { serversText } from './text.ts'

const tones: Record<ServerStatus, Tone> = {
  installing: 'accent',
  install_failed: 'bad',
  offline: 'plain',
  starting: 'accent',
  running: 'good',
  stopping: 'warn',
  restoring: 'accent',
  transferring: 'accent',
  suspended: 'bad',
  sleeping: 'plain',
  unknown: 'warn',
}
const inMotion: readonly ServerStatus[] = ['installing', 'starting', 'stopping', 'restoring', 'transferring']

export function StatusBadge({ status }: { status: ServerStatus }) {
  const t = useText(serversText)
  return (
    <Badge tone={tones[status]} dot pulse={inMotion.includes(status)}>
      {t.statuses[status]}
    </Badge>
  )
}
