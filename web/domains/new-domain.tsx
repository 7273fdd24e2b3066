import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { type Domain, domainsQuery } from './queries.ts'
import { domainsText } from './text.ts'

export interface TunnelChoice {
  id: string
  name: string
}

export function NewDomain({
  tunnels,
  onClose,
  onMade,
}: {
  tunnels: readonly TunnelChoice[]
  onClose(): void
  onMade(domain: Domain): void
}) {
  const t = useText(domainsText)
  const [name, setName] = useState('')
  const [tunnel, setTunnel] = useState(tunnels[0]?.id)
  const create = useAction({
    run: () => api.createDomain({ body: { name: name.trim(), tunnel: tunnel ?? '' } }),
    changes: [domainsQuery.queryKey],
    quiet: true,
    onDone(domain) {
      onClose()
      onMade(domain)
    },
  })
  const wrong = fieldError(create.error, 'name')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      submit={t.add}
      busy={create.isPending}
      disabled={name.trim() === '' || tunnel === undefined}
      onSubmit={() => create.mutate()}
    >
      <Field label={t.name} hint={t.nameHint} error={wrong}>
        <Input
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          inputMode="url"
          placeholder="app.example.org"
          maxLength={253}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field label={t.tunnel}>
        <Select
          value={tunnel}
          choices={tunnels.map((each) => ({ value: each.id, label: each.name }))}
          onChange={setTunnel}
        />
      </Field>
      {create.error && !wrong && <Notice tone="bad">{errorText(create.error)}</Notice>}
    </FormDialog>
  )
}
