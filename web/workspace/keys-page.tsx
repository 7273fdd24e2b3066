import { useSuspenseQuery } from '@tanstack/react-query'
import { KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { tokensQuery } from './queries.ts'
import { workspaceText } from './text.ts'

type Key = Awaited<ReturnType<typeof api.tokens>>['tokens'][number]

export function KeysPage() {
  const t = useText(workspaceText).keys
  const format = useFormat()
  const { data } = useSuspenseQuery(tokensQuery)
  const mayCreate = useMay('tokens.create')
  const mayRevoke = useMay('tokens.revoke')
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<string | null>(null)
  const [revoking, setRevoking] = useState<Key | null>(null)
  const revoke = useAction({
    run: (id: string) => api.revokeToken({ params: { id } }),
    done: t.done,
    changes: [tokensQuery.queryKey],
    onDone: () => setRevoking(null),
  })
  const create = mayCreate && (
    <Button kind="primary" icon={Plus} onClick={() => setMaking(true)}>
      {t.create}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={KeyRound}
      add={create}
      rows={data.tokens}
      columns={[
        {
          key: 'label',
          title: t.name,
          className: 'wrap-anywhere font-medium',
          cell: ({ label }) => label ?? <span className="text-muted">{t.unnamed}</span>,
        },
        { key: 'by', title: t.by, wideOnly: true, cell: ({ createdBy }) => createdBy },
        {
          key: 'created',
          title: t.created,
          wideOnly: true,
          cell: ({ createdAt }) => <RelativeTime at={createdAt} />,
        },
        {
          key: 'used',
          title: t.lastUsed,
          wideOnly: true,
          cell: ({ lastUsedAt }) => (lastUsedAt ? <RelativeTime at={lastUsedAt} /> : t.never),
        },
        {
          key: 'state',
          title: t.state,
          cell: (key) => {
            const state = stateOf(key)
            return (
              <span className="inline-flex flex-wrap items-center gap-2">
                <Badge tone={state === 'valid' ? 'good' : 'plain'}>{t[state]}</Badge>
                {state === 'valid' && key.expiresAt && (
                  <span className="text-muted text-xs">{t.until(format.date(key.expiresAt))}</span>
                )}
              </span>
            )
          },
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (key) =>
            mayRevoke &&
            stateOf(key) === 'valid' && (
              <Button
                small
                kind="quiet"
                aria-label={`${t.revoke}: ${key.label ?? t.unnamed}`}
                onClick={() => setRevoking(key)}
              >
                {t.revoke}
              </Button>
            ),
        },
      ]}
    >
      {making && <NewKey onClose={() => setMaking(false)} onMade={setMade} />}
      <Dialog open={made !== null} onOpenChange={() => setMade(null)} title={t.madeTitle} description={t.madeHint}>
        <div className="grid gap-4">
          <CommandBlock text={made ?? ''} />
          <p className="text-muted">{t.useIt}</p>
          <CommandBlock text={`npx pharos use ${location.origin}`} />
        </div>
      </Dialog>
      <ConfirmDialog
        open={revoking !== null}
        onOpenChange={() => setRevoking(null)}
        title={t.revokeTitle(revoking?.label ?? null)}
        description={t.revokeText}
        submit={t.revoke}
        busy={revoke.isPending}
        onSubmit={() => revoking && revoke.mutate(revoking.id)}
      />
    </ListPage>
  )
}

function NewKey({ onClose, onMade }: { onClose(): void; onMade(secret: string): void }) {
  const t = useText(workspaceText).keys
  const [label, setLabel] = useState('')
  const [until, setUntil] = useState('')
  const create = useAction({
    run: () =>
      api.createToken({
        body: {
          ...(label.trim() === '' ? {} : { label: label.trim() }),
          ...(until === '' ? {} : { expiresAt: new Date(`${until}T23:59:59`).toISOString() }),
        },
      }),
    changes: [tokensQuery.queryKey],
    onDone({ token }) {
      onClose()
      onMade(token)
    },
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.create}
      submit={t.create}
      busy={create.isPending}
      onSubmit={() => create.mutate()}
    >
      <Field label={t.label} hint={t.labelHint} error={fieldError(create.error, 'label')}>
        <Input autoFocus maxLength={80} value={label} onChange={(event) => setLabel(event.target.value)} />
      </Field>
      <Field label={t.expires} hint={t.expiresHint} error={fieldError(create.error, 'expiresAt')}>
        <Input type="date" value={until} onChange={(event) => setUntil(event.target.value)} />
      </Field>
    </FormDialog>
  )
}

function stateOf({ revokedAt, expiresAt }: Key): 'valid' | 'revoked' | 'expired' {
  if (revokedAt) return 'revoked'
  return expiresAt && new Date(expiresAt).getTime() <= Date.now() ? 'expired' : 'valid'
}
