import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Archive, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Limit } from '../servers/limit.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { BackupTable } from './backup-table.tsx'
import { useLiveBackups } from './live-backups.ts'
import { NewBackup } from './new-backup.tsx'
import { backupSettingsQuery, backupsQuery } from './queries.ts'
import { type Room, roomFor } from './reasons.ts'
import { backupsText } from './text.ts'
import { Verification } from './verification.tsx'

/** The backups of one server. */
export function BackupsPage() {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId, server, may } = useServer()
  const { data: backups } = useSuspenseQuery(backupsQuery(serverId))
  const { data: settings } = useQuery({ ...backupSettingsQuery(serverId), enabled: may('settings.read') })
  const [creating, setCreating] = useState(false)
  useLiveBackups(serverId)
  const room = roomFor(backups, settings)
  const create = (
    <Button kind="primary" icon={Plus} unavailable={whyNoBackup(room)} onClick={() => setCreating(true)}>
      {t.create}
    </Button>
  )
  function whyNoBackup({ is }: Room): string | null {
    if (!may('backups.create')) return t.mayNot
    if (!server.node.online) return t.nodeAway
    if (server.status === 'suspended') return t.mustStop.suspended
    switch (is) {
      case 'none':
        return t.noneAllowed
      case 'full':
        return t.full(format.number(settings?.limit ?? 0))
      case 'allLocked':
        return t.allLocked
      case 'free':
      case 'rotates':
        return null
    }
  }
  return (
    <>
      <Card
        title={t.title}
        description={t.hint}
        flush
        actions={
          <>
            {settings && <Limit label={t.limit} current={settings.current} limit={settings.limit} />}
            {backups.length > 0 && create}
          </>
        }
      >
        {backups.length === 0 ? (
          <EmptyState icon={Archive} title={t.none} actions={create}>
            {t.noneHint}
          </EmptyState>
        ) : (
          <BackupTable backups={backups} />
        )}
      </Card>
      {backups.some(({ format: engine, state }) => engine === 'restic' && state === 'ready') && <Verification />}
      {settings && <Rotation rotate={settings.rotate} />}
      {creating && <NewBackup room={room} onClose={() => setCreating(false)} />}
    </>
  )
}

function Rotation({ rotate }: { rotate: boolean }) {
  const t = useText(backupsText)
  const { serverId, may } = useServer()
  const change = useAction({
    run: (next: boolean) => api.updateBackupSettings({ params: { serverId }, body: { rotate: next } }),
    done: (_reply, next) => (next ? t.rotateOn : t.rotateOff),
    changes: [backupSettingsQuery(serverId).queryKey],
  })
  const mayChange = may('settings.update')
  return (
    <Card>
      <Switch
        label={t.rotate}
        hint={mayChange ? t.rotateHint : t.mayNot}
        checked={change.isPending ? change.variables : rotate}
        disabled={!mayChange || change.isPending}
        onChange={(next) => change.mutate(next)}
      />
    </Card>
  )
}
