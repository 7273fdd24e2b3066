import type { ReactNode } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import type { Backup } from './queries.ts'
import { backupsText } from './text.ts'

/** Everything that is known of a backup. */
export function BackupDetails({ backup, onClose }: { backup: Backup; onClose(): void }) {
  const t = useText(backupsText)
  const format = useFormat()
  const facts: [label: string, value: ReactNode][] = [
    [t.state, t.states[backup.state]],
    [t.made, format.time(backup.createdAt)],
    [t.completed, backup.completedAt && format.time(backup.completedAt)],
    [t.files, backup.state === 'ready' && format.number(backup.files)],
    [backup.format === 'restic' ? t.addedSize : t.size, backup.state === 'ready' && format.bytes(backup.size)],
    [t.format, t.formats[backup.format]],
    [t.leftOut, backup.ignored.trim() === '' ? t.nothingIgnored : <Patterns key="ignored" text={backup.ignored} />],
    [t.checksum, backup.checksum && <Copyable key="checksum" text={backup.checksum} />],
    [t.message, backup.message],
  ]
  return (
    <Dialog open onOpenChange={onClose} title={backup.name}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-6 gap-y-2">
        {facts.map(
          ([label, value]) =>
            value && (
              <div key={label} className="contents">
                <dt className="text-muted">{label}</dt>
                <dd className="wrap-anywhere min-w-0">{value}</dd>
              </div>
            ),
        )}
      </dl>
    </Dialog>
  )
}

const Patterns = ({ text }: { text: string }) => (
  <code className="whitespace-pre-wrap font-mono text-[13px]">{text.trim()}</code>
)
