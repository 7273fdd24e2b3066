import { useQueryClient } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { KeyRound } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { PasswordInput } from '../ui/password-input.tsx'
import { Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import { passkeyObstacle, provePasskey } from './passkey.ts'
import { obstacleText, passkeyErrorText, passkeyText } from './passkey-text.ts'
import { ProviderButtons } from './provider-buttons.tsx'
import { SecondStep } from './second-step.tsx'
import { begin, type Person } from './session.ts'
import { sessionText } from './text.ts'

export function SignInPage() {
  const { next } = useSearch({ from: '/sign-in' })
  const queries = useQueryClient()
  const router = useRouter()
  const [challenge, setChallenge] = useState<string | null>(null)
  const enter = (account: Person): void => {
    begin(queries, account)
    router.history.push(next ?? '/servers')
  }
  return challenge === null ? (
    <FirstStep next={next} onEnter={enter} onChallenge={setChallenge} />
  ) : (
    <SecondStep challenge={challenge} onEnter={enter} onBack={() => setChallenge(null)} />
  )
}

function FirstStep({
  next,
  onEnter,
  onChallenge,
}: {
  next: string | undefined
  onEnter(account: Person): void
  onChallenge(challenge: string): void
}) {
  const t = useText(sessionText)
  const passkeys = useText(passkeyText)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const enter = useAction({
    run: () => api.signIn({ body: { email, password } }),
    quiet: true,
    onDone(reply) {
      if ('secondFactor' in reply) onChallenge(reply.secondFactor.challenge)
      else onEnter(reply)
    },
  })
  const usePasskey = useAction({
    async run() {
      const { options } = await api.passkeySignInOptions({})
      return api.signInWithPasskey({ body: { credential: await provePasskey(options) } })
    },
    quiet: true,
    onDone: onEnter,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    usePasskey.reset()
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
          <PasswordInput
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {enter.error && <Notice tone="bad">{errorText(enter.error)}</Notice>}
        {usePasskey.error && <Notice tone="bad">{passkeyErrorText(passkeys, usePasskey.error)}</Notice>}
        <Button type="submit" kind="primary" busy={enter.isPending}>
          {t.signIn}
        </Button>
        <Button
          icon={KeyRound}
          busy={usePasskey.isPending}
          unavailable={obstacleText(passkeys, passkeyObstacle())}
          onClick={() => {
            enter.reset()
            usePasskey.mutate()
          }}
        >
          {t.withPasskey}
        </Button>
        <ProviderButtons next={next} />
        <p className="text-[13px] text-muted">{t.forgotten}</p>
      </form>
    </Gate>
  )
}
