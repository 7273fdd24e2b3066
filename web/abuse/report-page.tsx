import { useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Gate } from '../session/gate.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { abuseText } from './text.ts'

type Category = Parameters<typeof api.reportAbuse>[0]['body']['category']

const categories: readonly Category[] = ['phishing', 'malware', 'spam', 'illegal', 'copyright', 'other']

/** Where the link of the edges' pages leads: anybody can tell of a tunnel. */
export function ReportPage() {
  const t = useText(abuseText)
  const host = useSearch({ from: '/report-abuse', select: (search) => search.host })
  const [url, setUrl] = useState(host ?? '')
  const [category, setCategory] = useState<Category>('phishing')
  const [message, setMessage] = useState('')
  const [email, setEmail] = useState('')
  const tell = useAction({
    run: () => api.reportAbuse({ body: { url, category, message, ...(email.trim() === '' ? {} : { email }) } }),
    quiet: true,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!tell.isPending) tell.mutate()
  }
  if (tell.isSuccess)
    return (
      <Gate title={t.report}>
        <Notice tone="info">{t.sent}</Notice>
      </Gate>
    )
  return (
    <Gate title={t.report} hint={t.reportHint}>
      <form onSubmit={submit} className="grid gap-4">
        <Field label={t.address} error={fieldError(tell.error, 'url')}>
          <Input required maxLength={2000} value={url} onChange={(event) => setUrl(event.target.value)} />
        </Field>
        <Field label={t.category}>
          <Select
            value={category}
            choices={categories.map((value) => ({ value, label: t.categories[value] }))}
            onChange={(next) => setCategory(next)}
          />
        </Field>
        <Field label={t.message} error={fieldError(tell.error, 'message')}>
          <TextArea required maxLength={4000} value={message} onChange={(event) => setMessage(event.target.value)} />
        </Field>
        <Field label={t.email} error={fieldError(tell.error, 'email')}>
          <Input type="email" maxLength={254} value={email} onChange={(event) => setEmail(event.target.value)} />
        </Field>
        {tell.error && <Notice tone="bad">{errorText(tell.error)}</Notice>}
        <Button type="submit" kind="primary" busy={tell.isPending}>
          {t.send}
        </Button>
      </form>
    </Gate>
  )
}
