import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { EventChoice } from './event-choice.tsx'
import { type Webhook, webhooksQuery } from './queries.ts'
import { webhooksText } from './text.ts'

export function ChangeWebhook({ webhook, onClose }: { webhook: Webhook; onClose(): void }) {
  const t = useText(webhooksText)
  const [label, setLabel] = useState(webhook.label ?? '')
  const [url, setUrl] = useState(webhook.url)
  const [events, setEvents] = useState(webhook.events)
  const change = useAction({
    run: () =>
      api.updateWebhook({
        params: { webhook: webhook.id },
        body: { label: label.trim() || null, events, ...(url === null ? {} : { url: url.trim() }) },
      }),
    done: t.changed,
    changes: [webhooksQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const wrong = { url: fieldError(change.error, 'url'), label: fieldError(change.error, 'label') }
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={t.change}
      submit={t.save}
      busy={change.isPending}
      disabled={events.length === 0}
      onSubmit={() => change.mutate()}
    >
      <Field label={t.label} hint={t.labelHint} error={wrong.label}>
        <Input maxLength={80} value={label} onChange={(event) => setLabel(event.target.value)} />
      </Field>
      {url !== null && webhook.format !== 'mail' && (
        <Field label={t.url} hint={t.urlHints[webhook.format]} error={wrong.url}>
          <Input
            type="url"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            maxLength={2000}
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
        </Field>
      )}
      <EventChoice chosen={events} onChange={setEvents} />
      {change.error && !wrong.url && !wrong.label && <Notice tone="bad">{errorText(change.error)}</Notice>}
    </FormDialog>
  )
}
