import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import type { Person } from './session.ts'
import { sessionText } from './text.ts'

/** The code after the password, or after a provider: of the app, or a recovery code. */
export function SecondStep({
  challenge,
  onEnter,
  onBack,
}: {
  challenge: string
  onEnter(account: Person): void
  onBack(): void
}) {
  const t = useText(sessionText)
  const [code, setCode] = useState('')
  const prove = useAction({
    run: () => api.secondFactor({ body: { challenge, code } }),
    quiet: true,
    onDone: onEnter,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    prove.mutate()
  }
  return (
    <Gate title={t.secondStepTitle} hint={t.secondStepHint}>
      <form onSubmit={submit} className="grid gap-4">
        <Field label={t.code} hint={t.codeHint}>
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
        {prove.error && <Notice tone="bad">{errorText(prove.error)}</Notice>}
        <Button type="submit" kind="primary" busy={prove.isPending}>
          {t.signIn}
        </Button>
        <Button kind="quiet" onClick={onBack}>
          {t.back}
        </Button>
      </form>
    </Gate>
  )
}
