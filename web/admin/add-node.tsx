import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { nodesQuery } from './queries.ts'
import { adminText } from './text.ts'

/** Registers a machine, and hands over the command that makes it join. */
export function AddNode({ onClose, onAdded }: { onClose(): void; onAdded(command: string): void }) {
  const t = useText(adminText).nodes
  const [name, setName] = useState('')
  const [address, setAddress] = useState('')
  const add = useAction({
    run: () => api.createNode({ body: { name, ...(address.trim() === '' ? {} : { publicAddress: address.trim() }) } }),
    changes: [nodesQuery.queryKey],
    quiet: true,
    onDone({ command }) {
      onClose()
      onAdded(command)
    },
  })
  const wrong = fieldError(add.error, 'name') ?? fieldError(add.error, 'publicAddress')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      submit={t.add}
      busy={add.isPending}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.name} error={fieldError(add.error, 'name')}>
        <Input autoFocus required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.address} hint={t.addressHint} error={fieldError(add.error, 'publicAddress')}>
        <Input maxLength={253} value={address} onChange={(event) => setAddress(event.target.value)} />
      </Field>
      {add.error && !wrong && <Notice tone="bad">{errorText(add.error)}</Notice>}
    </FormDialog>
  )
}
