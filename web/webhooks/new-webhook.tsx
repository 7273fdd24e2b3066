import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { WebhookEventName } from '../../src/contract/api/webhooks.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { RadioGroup } from '../ui/radio.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { membersQuery } from '../workspace/queries.ts'
import { EventChoice } from './event-choice.tsx'
import { troubles } from './events.ts'
import { type Webhook, webhooksQuery } from './queries.ts'
import { webhooksText } from './text.ts'

const formats = ['json', 'discord', 'mail'] as const satisfies readonly Webhook['format'][]

/** `onMade` gets the secret; null for a letter, which has none. */
export function NewWebhook({
  onClose,
  onMade,
}: {
  onClose(): void
  onMade(webhook: Webhook, secret: string | null): void
}) {
  const t = useText(webhooksText)
  const [format, setFormat] = useState<Webhook['format']>('json')
  const [url, setUrl] = useState('')
  const [to, setTo] = useState<string>()
  const [label, setLabel] = useState('')
  const [events, setEvents] = useState<WebhookEventName[]>([...troubles])
  const { data } = useQuery({ ...membersQuery, enabled: format === 'mail' })
  const create = useAction({
    run: () => {
      const rest = { events, ...(label.trim() === '' ? {} : { label: label.trim() }) }
      return api.createWebhook({
        body: format === 'mail' ? { format, to: to ?? '', ...rest } : { format, url: url.trim(), ...rest },
      })
    },
    changes: [webhooksQuery.queryKey],
    quiet: true,
    onDone({ webhook, secret }) {
      onClose()
      onMade(webhook, secret)
    },
  })
  const wrong = { url: fieldError(create.error, 'url'), to: fieldError(create.error, 'to') }
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={t.create}
      submit={t.create}
      busy={create.isPending}
      disabled={events.length === 0}
      onSubmit={() => create.mutate()}
    >
      <RadioGroup
        label={t.format}
        value={format}
        onChange={(next) => setFormat(next)}
        choices={formats.map((value) => ({ value, label: t.formats[value], hint: t.formatHints[value] }))}
      />
      {format === 'mail' ? (
        <Field label={t.to} error={wrong.to}>
          <Select
            value={to}
            placeholder=""
            choices={(data?.members ?? []).map(({ email, name }) => ({
              value: email,
              label: name ? `${name} (${email})` : email,
            }))}
            onChange={setTo}
          />
        </Field>
      ) : (
        <Field label={t.url} hint={t.urlHints[format]} error={wrong.url}>
          <Input
            type="url"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            placeholder="https://"
            maxLength={2000}
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
        </Field>
      )}
      <Field label={t.label} hint={t.labelHint} error={fieldError(create.error, 'label')}>
        <Input maxLength={80} value={label} onChange={(event) => setLabel(event.target.value)} />
      </Field>
      <EventChoice chosen={events} onChange={setEvents} />
      {create.error && !wrong.url && !wrong.to && <Notice tone="bad">{errorText(create.error)}</Notice>}
    </FormDialog>
  )
}
