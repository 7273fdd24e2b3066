import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { type Credential, type ForeignEdge, foreignEdgesQuery } from './queries.ts'
import { foreignEdgesText } from './text.ts'

/** Host names of each kind, with the place of their domain. */
const shapes = { hyphen: 'web-acme.', subdomain: 'web.acme.', flat: 'web.' } as const
const fields = ['name', 'base', 'shape', 'address', 'workspaces'] as const

export function NewForeignEdge({
  onClose,
  onMade,
}: {
  onClose(): void
  onMade(made: { name: string; credential: Credential }): void
}) {
  const t = useText(foreignEdgesText)
  const [name, setName] = useState('')
  const [base, setBase] = useState('')
  const [shape, setShape] = useState<ForeignEdge['shape']>('hyphen')
  const [address, setAddress] = useState('')
  const [workspaces, setWorkspaces] = useState('')
  const create = useAction({
    run: () => {
      const slugs = workspaces.split(/[\s,]+/).filter((slug) => slug !== '')
      return api.createForeignEdge({
        body: {
          ...{ name, base: base.trim(), shape },
          address: address.trim() === '' ? null : address.trim(),
          workspaces: slugs.length === 0 ? null : slugs,
        },
      })
    },
    changes: [foreignEdgesQuery.queryKey],
    quiet: true,
    onDone(made) {
      onClose()
      onMade({ name: made.name, credential: made })
    },
  })
  const { error } = create
  const wrong = (field: (typeof fields)[number]): string | undefined => fieldError(error, field)
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      submit={t.add}
      busy={create.isPending}
      disabled={name.trim() === '' || base.trim() === ''}
      onSubmit={() => create.mutate()}
    >
      <Field label={t.name} error={wrong('name')}>
        <Input required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.base} hint={t.baseHint} error={wrong('base')}>
        <Input {...plain} required maxLength={200} value={base} onChange={(event) => setBase(event.target.value)} />
      </Field>
      <Field label={t.shape} hint={t.shapeHint} error={wrong('shape')}>
        <Select
          value={shape}
          choices={(['hyphen', 'subdomain', 'flat'] as const).map((value) => ({
            value,
            label: shapes[value] + (base.trim() || 'tunnels.example.org'),
          }))}
          onChange={(next) => setShape(next)}
        />
      </Field>
      <Field label={t.address} hint={t.addressHint} error={wrong('address')}>
        <Input
          {...plain}
          maxLength={260}
          placeholder="edge.example.org:443"
          value={address}
          onChange={(event) => setAddress(event.target.value)}
        />
      </Field>
      <Field label={t.workspaces} hint={t.workspacesHint} error={wrong('workspaces')}>
        <TextArea {...plain} rows={2} value={workspaces} onChange={(event) => setWorkspaces(event.target.value)} />
      </Field>
      {error && !fields.some(wrong) && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}

const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const
