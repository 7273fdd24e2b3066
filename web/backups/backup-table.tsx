import { Download, FolderOpen, Info, Lock, LockOpen, RotateCcw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Menu } from '../ui/menu.tsx'
import { Progress } from '../ui/progress.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { BackupDetails } from './backup-details.tsx'
import { BrowseBackup } from './browse-backup.tsx'
import { type Backup, backupSettingsQuery, backupsQuery } from './queries.ts'
import { RestoreBackup } from './restore-backup.tsx'
import { backupsText } from './text.ts'

/** Hex digits of a checksum that tell two archives apart at a glance. */
const shortChecksumChars = 8

type Asked = { for: 'restore' | 'remove' | 'details' | 'browse'; id: string; files?: readonly string[] }

export function BackupTable({ backups }: { backups: readonly Backup[] }) {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId } = useServer()
  const [asked, setAsked] = useState<Asked | null>(null)
  const close = (): void => setAsked(null)
  const remove = useAction({
    run: (id: string) => api.deleteBackup({ params: { serverId, backup: id } }),
    done: ({ message }) => message,
    changes: [backupsQuery(serverId).queryKey, backupSettingsQuery(serverId).queryKey],
    onDone: close,
  })
  // As it is now: it may have become ready since somebody asked.
  const shown = backups.find(({ id }) => id === asked?.id)
  return (
    <>
      <Table
        caption={t.title}
        rows={backups}
        rowKey={({ id }) => id}
        columns={[
          { key: 'name', title: t.name, cell: (backup) => <Name backup={backup} /> },
          { key: 'state', title: t.state, cell: (backup) => <State backup={backup} /> },
          {
            key: 'size',
            title: t.size,
            className: 'whitespace-nowrap tabular-nums',
            cell: ({ state, size, format: engine }) =>
              state === 'ready' && (engine === 'restic' ? t.added(format.bytes(size)) : format.bytes(size)),
          },
          { key: 'made', title: t.made, cell: ({ createdAt }) => <RelativeTime at={createdAt} /> },
          {
            key: 'checksum',
            title: t.checksum,
            wideOnly: true,
            className: 'max-lg:hidden',
            cell: ({ checksum }) =>
              checksum && (
                <span className="inline-flex items-center gap-1">
                  <code className="font-mono text-[13px]" title={checksum}>
                    {checksum.slice(0, shortChecksumChars)}
                  </code>
                  <CopyButton text={checksum} />
                </span>
              ),
          },
          {
            key: 'actions',
            title: t.actions,
            align: 'right',
            cell: (backup) => <Actions backup={backup} onAsk={(what) => setAsked({ for: what, id: backup.id })} />,
          },
        ]}
      />
      {asked?.for === 'details' && shown && <BackupDetails backup={shown} onClose={close} />}
      {asked?.for === 'browse' && shown && (
        <BrowseBackup
          backup={shown}
          onClose={close}
          onRestore={(files) => setAsked({ for: 'restore', id: shown.id, files })}
        />
      )}
      {asked?.for === 'restore' && shown && <RestoreBackup backup={shown} chosen={asked.files} onClose={close} />}
      <ConfirmDialog
        open={asked?.for === 'remove' && shown !== undefined}
        onOpenChange={close}
        title={t.removeTitle(shown?.name ?? '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => shown && remove.mutate(shown.id)}
      />
    </>
  )
}

function Name({ backup: { name, locked, message, state } }: { backup: Backup }) {
  const t = useText(backupsText)
  return (
    <span className="wrap-anywhere min-w-0">
      <span className="font-medium">{name}</span>
      {locked && <Lock aria-label={t.locked} role="img" className="ml-1.5 inline size-3.5 align-[-2px] text-muted" />}
      {state === 'failed' && message && <span className="block text-[13px] text-bad">{message}</span>}
    </span>
  )
}

const tones = { pending: 'plain', running: 'accent', ready: 'good', failed: 'bad' } as const satisfies Record<
  Backup['state'],
  Tone
>

function State({ backup: { state, progress } }: { backup: Backup }) {
  const t = useText(backupsText)
  const format = useFormat()
  if (state !== 'running') return <Badge tone={tones[state]}>{t.states[state]}</Badge>
  const percent = format.percent(progress.percent / 100)
  return (
    <span className="grid w-36 gap-1 text-left">
      <span className="flex justify-between gap-2 text-[13px] tabular-nums">
        <span>{t.states.running}</span>
        <span className="text-muted">{percent}</span>
      </span>
      <Progress value={progress.percent} max={100} label={t.states.running} text={t.progress(percent)} />
      <span className="text-muted text-xs tabular-nums">
        {t.progressOf(format.bytes(progress.bytesDone), format.bytes(progress.bytesTotal))}
      </span>
    </span>
  )
}

function Actions({ backup, onAsk }: { backup: Backup; onAsk(what: Asked['for']): void }) {
  const t = useText(backupsText)
  const { serverId, may } = useServer()
  const { id, name, state, locked } = backup
  const download = useAction({
    run: () => api.downloadBackup({ params: { serverId, backup: id } }),
    onDone: ({ downloadUrl }) => follow(downloadUrl),
  })
  const setLocked = useAction({
    run: (next: boolean) => api[next ? 'lockBackup' : 'unlockBackup']({ params: { serverId, backup: id } }),
    done: (_reply, next) => (next ? t.nowLocked : t.nowUnlocked),
    changes: [backupsQuery(serverId).queryKey],
  })
  const notReady = state === 'ready' ? null : state === 'failed' ? t.failedOne : t.notReady
  const mayNotDelete = may('backups.delete') ? null : t.mayNot
  const whyNotRemove = mayNotDelete ?? (locked ? t.removeLocked : null)
  return (
    <span className="inline-flex items-center gap-1.5">
      <Button
        small
        icon={Download}
        busy={download.isPending}
        unavailable={may('backups.download') ? notReady : t.mayNot}
        onClick={() => download.mutate()}
      >
        {t.download}
      </Button>
      <Button
        small
        icon={RotateCcw}
        unavailable={may('backups.restore') ? notReady : t.mayNot}
        onClick={() => onAsk('restore')}
      >
        {t.restore}
      </Button>
      <Menu
        label={t.more(name)}
        entries={[
          { label: t.details, icon: Info, onSelect: () => onAsk('details') },
          {
            label: t.browse,
            icon: FolderOpen,
            onSelect: () => onAsk('browse'),
            disabled: notReady !== null,
            hint: notReady ?? undefined,
          },
          {
            label: locked ? t.unlock : t.lock,
            icon: locked ? LockOpen : Lock,
            onSelect: () => setLocked.mutate(!locked),
            disabled: mayNotDelete !== null,
            hint: mayNotDelete ?? (locked ? undefined : t.lockHint),
          },
          'line',
          {
            label: state === 'pending' || state === 'running' ? t.cancel : t.remove,
            icon: Trash2,
            danger: true,
            onSelect: () => onAsk('remove'),
            disabled: whyNotRemove !== null,
            hint: whyNotRemove,
          },
        ]}
      />
    </span>
  )
}

/** The browser keeps what comes as a file; this page stays. */
function follow(url: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = ''
  link.click()
}
