import { useQuery } from '@tanstack/react-query'
import { ShieldCheck } from 'lucide-react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Notice } from '../ui/state.tsx'
import { verificationQuery } from './queries.ts'
import { backupsText } from './text.ts'

/** Whether what the incremental backups share is still whole, as the last check found it. */
export function Verification() {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId, server, may } = useServer()
  const { data } = useQuery(verificationQuery(serverId))
  const check = useAction({
    run: () => api.verifyBackups({ params: { serverId }, body: { readData: true } }),
    changes: [verificationQuery(serverId).queryKey],
  })
  const running = check.isPending || data?.state === 'running'
  const why = !may('backups.create') ? t.mayNot : server.node.online ? null : t.nodeAway
  return (
    <Card
      title={t.verification}
      description={t.verificationHint}
      actions={
        <Button icon={ShieldCheck} busy={running} unavailable={why} onClick={() => check.mutate()}>
          {t.verify}
        </Button>
      }
    >
      <div role="status">
        {data?.state === 'running' && <p>{t.verifying}</p>}
        {data?.state === 'intact' && (
          <Notice tone="info">
            {t.intact(
              format.number(data.backups ?? 0),
              format.bytes(data.storedBytes ?? 0),
              data.endedAt ? format.time(data.endedAt) : '',
            )}
          </Notice>
        )}
        {data?.state === 'damaged' && <Notice tone="bad">{`${t.damaged} ${data.message ?? ''}`}</Notice>}
        {data?.state === 'failed' && <Notice tone="warn">{`${t.notVerified} ${data.message ?? ''}`}</Notice>}
        {data?.state === 'never' && <p className="text-muted">{t.neverVerified}</p>}
      </div>
    </Card>
  )
}
