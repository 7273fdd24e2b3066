import { useSuspenseQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { makePasskey, passkeyObstacle } from '../session/passkey.ts'
import { obstacleText, passkeyErrorText, passkeyText } from '../session/passkey-text.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { passkeysQuery } from './security-queries.ts'
import { securityText } from './security-text.ts'
import { PasswordField } from './two-factor-card.tsx'

interface Named {
  id: string
  name: string
}

/** Signing in without a password. */
export function PasskeysCard() {
  const t = useText(securityText)
  const words = useText(passkeyText)
  const { data } = useSuspenseQuery(passkeysQuery)
  const [adding, setAdding] = useState(false)
  const [renaming, setRenaming] = useState<Named | null>(null)
  const [deleting, setDeleting] = useState<Named | null>(null)
  const remove = useAction({
    run: (passkey: string) => api.deletePasskey({ params: { passkey } }),
    changes: [passkeysQuery.queryKey],
    onDone: () => setDeleting(null),
  })
  return (
    <Card
      flush
      title={t.passkeysTitle}
      description={t.passkeysHint}
      actions={
        <Button onClick={() => setAdding(true)} unavailable={obstacleText(words, passkeyObstacle())}>
          {t.addPasskey}
        </Button>
      }
    >
      {data.passkeys.length === 0 ? (
        <p className="px-5 pb-5 text-muted">{t.noPasskeys}</p>
      ) : (
        <Table
          caption={t.passkeysTitle}
          rows={data.passkeys}
          rowKey={({ id }) => id}
          columns={[
            { key: 'name', title: t.name, className: 'wrap-anywhere', cell: ({ name }) => name },
            {
              key: 'used',
              title: t.lastUsed,
              cell: ({ lastUsedAt }) => (lastUsedAt === null ? t.never : <RelativeTime at={lastUsedAt} />),
            },
            {
              key: 'actions',
              title: t.actions,
              align: 'right',
              cell: (passkey) => (
                <span className="inline-flex flex-wrap justify-end">
                  <Button
                    small
                    kind="quiet"
                    aria-label={`${t.rename}: ${passkey.name}`}
                    onClick={() => setRenaming(passkey)}
                  >
                    {t.rename}
                  </Button>
                  <Button
                    small
                    kind="quiet"
                    aria-label={`${t.delete}: ${passkey.name}`}
                    onClick={() => setDeleting(passkey)}
                  >
                    {t.delete}
                  </Button>
                </span>
              ),
            },
          ]}
        />
      )}
      {adding && <AddPasskey onClose={() => setAdding(false)} />}
      {renaming && <RenamePasskey passkey={renaming} onClose={() => setRenaming(null)} />}
      {deleting && (
        <ConfirmDialog
          open
          onOpenChange={() => setDeleting(null)}
          title={t.deleteTitle(deleting.name)}
          description={t.deleteHint}
          submit={t.delete}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(deleting.id)}
        />
      )}
    </Card>
  )
}

function AddPasskey({ onClose }: { onClose(): void }) {
  const t = useText(securityText)
  const words = useText(passkeyText)
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const add = useAction({
    async run() {
      const { options } = await api.passkeyOptions({ body: { password } })
      return api.createPasskey({ body: { name, credential: await makePasskey(options) } })
    },
    changes: [passkeysQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.addPasskey}
      description={t.addHint}
      submit={t.goOn}
      busy={add.isPending}
      disabled={name.trim() === '' || password === ''}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.name} hint={t.nameHint}>
        <Input required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <PasswordField value={password} onChange={setPassword} />
      {add.error && <Notice tone="bad">{passkeyErrorText(words, add.error)}</Notice>}
    </FormDialog>
  )
}

function RenamePasskey({ passkey, onClose }: { passkey: Named; onClose(): void }) {
  const t = useText(securityText)
  const [name, setName] = useState(passkey.name)
  const rename = useAction({
    run: () => api.updatePasskey({ params: { passkey: passkey.id }, body: { name } }),
    changes: [passkeysQuery.queryKey],
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.rename}
      submit={t.rename}
      busy={rename.isPending}
      disabled={name.trim() === ''}
      onSubmit={() => rename.mutate()}
    >
      <Field label={t.name}>
        <Input required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
