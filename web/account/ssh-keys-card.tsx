import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { sshKeysText } from './ssh-keys-text.ts'
import { PasswordField } from './two-factor-card.tsx'

const sshKeysQuery = queryOptions({
  queryKey: ['ssh-keys'],
  queryFn: ({ signal }) => api.sshKeys({}, { signal }),
})

/** The keys by which SFTP asks for no password. */
export function SshKeysCard() {
  const t = useText(sshKeysText)
  const { data } = useSuspenseQuery(sshKeysQuery)
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<{ id: string; name: string } | null>(null)
  const remove = useAction({
    run: (sshKey: string) => api.deleteSshKey({ params: { sshKey } }),
    changes: [sshKeysQuery.queryKey],
    onDone: () => setRemoving(null),
  })
  return (
    <Card flush title={t.title} description={t.hint} actions={<Button onClick={() => setAdding(true)}>{t.add}</Button>}>
      {data.sshKeys.length === 0 ? (
        <p className="px-5 pb-5 text-muted">{t.none}</p>
      ) : (
        <Table
          caption={t.title}
          rows={data.sshKeys}
          rowKey={({ id }) => id}
          columns={[
            {
              key: 'name',
              title: t.name,
              className: 'wrap-anywhere',
              cell: ({ name, tokenId }) => (
                <span>
                  {name} {tokenId !== null && <Badge>{t.byToken}</Badge>}
                </span>
              ),
            },
            {
              key: 'fingerprint',
              title: t.fingerprint,
              wideOnly: true,
              className: 'wrap-anywhere',
              cell: ({ fingerprint }) => <code className="text-[13px]">{fingerprint}</code>,
            },
            {
              key: 'used',
              title: t.lastUsed,
              cell: ({ lastUsedAt }) => (lastUsedAt === null ? t.never : <RelativeTime at={lastUsedAt} />),
            },
            {
              key: 'actions',
              title: t.actions,
              align: 'right',
              cell: (key) => (
                <Button small kind="quiet" aria-label={`${t.remove}: ${key.name}`} onClick={() => setRemoving(key)}>
                  {t.remove}
                </Button>
              ),
            },
          ]}
        />
      )}
      {adding && <AddSshKey onClose={() => setAdding(false)} />}
      {removing && (
        <ConfirmDialog
          open
          onOpenChange={() => setRemoving(null)}
          title={t.removeTitle(removing.name)}
          description={t.removeHint}
          submit={t.remove}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(removing.id)}
        />
      )}
    </Card>
  )
}

function AddSshKey({ onClose }: { onClose(): void }) {
  const t = useText(sshKeysText)
  const [publicKey, setPublicKey] = useState('')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const add = useAction({
    run: () => api.createSshKey({ body: { publicKey, password, ...(name.trim() === '' ? {} : { name }) } }),
    changes: [sshKeysQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const wrong = fieldError(add.error, 'publicKey')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      description={t.addHint}
      submit={t.add}
      busy={add.isPending}
      disabled={publicKey.trim() === '' || password === ''}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.publicKey} hint={t.publicKeyHint} error={wrong}>
        <TextArea
          required
          rows={4}
          spellCheck={false}
          maxLength={12_000}
          className="font-mono text-[13px]"
          value={publicKey}
          onChange={(event) => setPublicKey(event.target.value)}
        />
      </Field>
      <Field label={t.name} hint={t.nameHint}>
        <Input maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <PasswordField value={password} onChange={setPassword} />
      {add.error && !wrong && <Notice tone="bad">{errorText(add.error)}</Notice>}
    </FormDialog>
  )
}
