import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { PasswordInput } from '../ui/password-input.tsx'
import { Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import { linkSecret } from './link-secret.ts'
import { begin } from './session.ts'
import { sessionText } from './text.ts'

/** Where an invitation's link leads. */
export function InvitationPage() {
  const t = useText(sessionText)
  const queries = useQueryClient()
  const router = useRouter()
  const [secret] = useState(linkSecret)
  const [password, setPassword] = useState('')
  const [name, setName] = useState('')
  const [code, setCode] = useState<string | null>(null)
  const join = useAction({
    run: () =>
      api.acceptInvitation({
        body: { secret, password, ...(name.trim() === '' ? {} : { name }), ...(code ? { code } : {}) },
      }),
    quiet: true,
    onDone(account) {
      begin(queries, account)
      void router.navigate({ to: '/servers' })
    },
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    join.mutate(undefined, {
      onError(error) {
        if (fieldError(error, 'code')) setCode('')
      },
    })
  }
  const codeNeeded = fieldError(join.error, 'code')
  if (secret === '')
    return (
      <Gate title={t.invitationTitle}>
        <Notice tone="warn">{t.invitationGone}</Notice>
      </Gate>
    )
  return (
    <Gate title={t.invitationTitle} hint={t.invitationHint}>
      <form onSubmit={submit} className="grid gap-4">
        <Field label={t.password} hint={t.passwordHint}>
          <PasswordInput
            autoComplete="new-password"
            required
            autoFocus
            minLength={10}
            maxLength={256}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <Field label={`${t.yourName} (${t.optional})`}>
          <Input maxLength={80} autoComplete="name" value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        {code !== null && (
          <Field label={t.code} hint={t.codeHint} error={codeNeeded && t.codeNeeded}>
            <Input
              autoComplete="one-time-code"
              autoCapitalize="none"
              spellCheck={false}
              required
              autoFocus
              maxLength={40}
              value={code}
              onChange={(event) => setCode(event.target.value)}
            />
          </Field>
        )}
        {join.error && !codeNeeded && <Notice tone="bad">{errorText(join.error)}</Notice>}
        <Button type="submit" kind="primary" busy={join.isPending}>
          {t.join}
        </Button>
      </form>
    </Gate>
  )
}
