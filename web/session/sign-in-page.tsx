import { useQueryClient } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import { begin } from './session.ts'
import { sessionText } from './text.ts'

export function SignInPage() {
  const t = useText(sessionText)
  const { next } = useSearch({ from: '/sign-in' })
  const queries = useQueryClient()
  const router = useRouter()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const enter = useAction({
    run: () => api.signIn({ body: { email, password } }),
    quiet: true,
    onDone(account) {
      begin(queries, account)
      router.history.push(next ?? '/servers')
    },
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    enter.mutate()
  }
  return (
    <Gate title={t.signInTitle}>
      <form onSubmit={submit} className="grid gap-4">
        <Field label={t.email}>
          <Input
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        </Field>
        <Field label={t.password}>
          <Input
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {enter.error && <Notice tone="bad">{errorText(enter.error)}</Notice>}
        <Button type="submit" kind="primary" busy={enter.isPending}>
          {t.signIn}
        </Button>
        <p className="text-[13px] text-muted">{t.forgotten}</p>
      </form>
    </Gate>
  )
}
