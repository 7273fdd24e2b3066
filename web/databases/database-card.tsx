import { Eye, EyeOff, KeyRound, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { resourcesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { connectionString } from './connection.ts'
import { Facts } from './facts.tsx'
import { type Database, databasesQuery } from './queries.ts'
import { databasesText } from './text.ts'

/** One database: what to enter elsewhere to use it, and what can be done with it. */
export function DatabaseCard({ database }: { database: Database }) {
  const t = useText(databasesText)
  const format = useFormat()
  const { serverId, may } = useServer()
  const [asking, setAsking] = useState<'rotate' | 'remove' | null>(null)
  // Kept here alone, and only while it is shown.
  const [password, setPassword] = useState<string | null>(null)
  const params = { serverId, database: database.id }
  const close = (): void => setAsking(null)
  const reveal = useAction({
    run: () => api.databasePassword({ params }),
    onDone: ({ password: read }) => setPassword(read),
  })
  const rotate = useAction({
    run: () => api.rotateDatabasePassword({ params }),
    done: t.rotated,
    changes: [databasesQuery(serverId).queryKey],
    onDone({ newPassword }) {
      setPassword(newPassword)
      close()
    },
  })
  const remove = useAction({
    run: () => api.deleteDatabase({ params }),
    done: ({ message }) => message,
    changes: [databasesQuery(serverId).queryKey, resourcesQuery(serverId).queryKey],
    onDone: close,
  })
  const busy = database.state === 'ready' ? null : t.isBusy
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2.5">
          <span className="wrap-anywhere">{database.name}</span>
          {database.state !== 'ready' && <Badge tone="accent">{t.states[database.state]}</Badge>}
        </span>
      }
      actions={
        <>
          <Button
            small
            icon={KeyRound}
            aria-label={t.rotateOf(database.name)}
            unavailable={may('databases.rotate') ? busy : t.mayNot}
            onClick={() => setAsking('rotate')}
          >
            {t.rotate}
          </Button>
          <Button
            small
            icon={Trash2}
            aria-label={t.removeOf(database.name)}
            unavailable={may('databases.delete') ? busy : t.mayNot}
            onClick={() => setAsking('remove')}
          >
            {t.remove}
          </Button>
        </>
      }
    >
      <Facts
        facts={[
          [t.address, <Copyable key="address" text={`${database.host}:${database.port}`} />],
          [t.database, <Copyable key="database" text={database.database} />],
          [t.user, <Copyable key="user" text={database.username} />],
          [
            t.password,
            <span key="password" className="flex flex-wrap items-center gap-x-3 gap-y-1">
              {password === null ? (
                <span aria-hidden className="font-mono text-[13px]">
                  {'•'.repeat(12)}
                </span>
              ) : (
                <Copyable text={password} />
              )}
              <Button
                small
                icon={password === null ? Eye : EyeOff}
                busy={reveal.isPending}
                unavailable={password !== null ? null : may('databases.password') ? busy : t.mayNot}
                onClick={() => (password === null ? reveal.mutate() : setPassword(null))}
              >
                {password === null ? t.show : t.hide}
              </Button>
              <span className="text-[13px] text-muted">{password === null && t.showHint}</span>
            </span>,
          ],
          [
            t.remote,
            database.remote === '%' ? (
              t.anywhere
            ) : (
              <code key="remote" className="font-mono text-[13px]">
                {database.remote}
              </code>
            ),
          ],
          [t.size, database.sizeBytes === null ? t.sizeUnknown : format.bytes(database.sizeBytes)],
          [
            t.connection,
            <span key="connection" className="grid min-w-0">
              <Copyable text={connectionString(database, password ?? undefined)} />
              <span className="text-[13px] text-muted">
                {password === null ? t.connectionWithout : t.connectionHint}
              </span>
            </span>,
          ],
        ]}
      />
      <ConfirmDialog
        open={asking === 'rotate'}
        onOpenChange={close}
        title={t.rotateTitle(database.name)}
        description={t.rotateText}
        submit={t.rotate}
        busy={rotate.isPending}
        onSubmit={() => rotate.mutate()}
      />
      {asking === 'remove' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.removeTitle(database.name)}
          description={t.removeText}
          submit={t.remove}
          type={database.name}
          busy={remove.isPending}
          onSubmit={() => remove.mutate()}
        />
      )}
    </Card>
  )
}
