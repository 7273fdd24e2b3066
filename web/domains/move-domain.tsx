import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import type { TunnelChoice } from './new-domain.tsx'
import { type Domain, domainsQuery } from './queries.ts'
import { domainsText } from './text.ts'

export function MoveDomain({
  domain,
  tunnels,
  onClose,
}: {
  domain: Domain
  tunnels: readonly TunnelChoice[]
  onClose(): void
}) {
  const t = useText(domainsText)
  const [tunnel, setTunnel] = useState(domain.tunnelId)
  const move = useAction({
    run: () => api.updateDomain({ params: { domain: domain.id }, body: { tunnel } }),
    done: t.moved,
    changes: [domainsQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.moveTitle(domain.displayName)}
      submit={t.save}
      busy={move.isPending}
      disabled={tunnel === domain.tunnelId}
      onSubmit={() => move.mutate()}
    >
      <Field label={t.tunnel}>
        <Select
          value={tunnel}
          choices={tunnels.map((each) => ({ value: each.id, label: each.name }))}
          onChange={setTunnel}
        />
      </Field>
      {move.error && <Notice tone="bad">{errorText(move.error)}</Notice>}
    </FormDialog>
  )
}
