import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import { linkSecret } from './link-secret.ts'
import { begin } from './session.ts'
import { sessionText } from './text.ts'

/** Where the one-time link leads: the owner's account and the first workspace, then the first server. */
export function SetupPage() {
  const t = useText(sessionText)
  const queries = useQueryClient()
  const router = useRouter()
  const [secret] = useState(linkSecret)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [workspace, setWorkspace] = useState('')
  const [chosenSlug, setChosenSlug] = useState<string | null>(null)
  const slug = chosenSlug ?? slugOf(workspace)
  const setup = useAction({
    run: () => api.setup({ body: { secret, email, password, workspace: { name: workspace, slug } } }),
    quiet: true,
    onDone(account) {
      begin(queries, account)
      void router.navigate({ to: '/servers/new' })
    },
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setup.mutate()
  }
  if (secret === '')
    return (
      <Gate title={t.setupTitle}>
        <Notice tone="warn">{t.setupGone}</Notice>
      </Gate>
    )
  const { error } = setup
  const elsewhere = error && !(error instanceof ApiError && error.details.length > 0)
  return (
    <Gate title={t.setupTitle} hint={t.setupHint}>
      <form onSubmit={submit} className="grid gap-4">
        <Field label={t.email} error={fieldError(error, 'email')}>
          <Input
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        </Field>
        <Field label={t.password} hint={t.passwordHint} error={fieldError(error, 'password')}>
          <Input
            type="password"
            autoComplete="new-password"
            required
            minLength={10}
            maxLength={256}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <Field label={t.workspaceName} hint={t.workspaceHint} error={fieldError(error, 'workspace.name')}>
          <Input required maxLength={80} value={workspace} onChange={(event) => setWorkspace(event.target.value)} />
        </Field>
        <Field label={t.slug} hint={t.slugHint(slug || 'name')} error={fieldError(error, 'workspace.slug')}>
          <Input
            required
            pattern="[a-z][a-z0-9]{1,31}"
            maxLength={32}
            autoCapitalize="none"
            spellCheck={false}
            value={slug}
            onChange={(event) => setChosenSlug(event.target.value.toLowerCase())}
          />
        </Field>
        {elsewhere && <Notice tone="bad">{errorText(error)}</Notice>}
        <Button type="submit" kind="primary" busy={setup.isPending}>
          {t.begin}
        </Button>
      </form>
    </Gate>
  )
}

const slugLengthMax = 32

/** What a workspace of that name would be called in addresses. */
function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/^[0-9]+/, '')
    .slice(0, slugLengthMax)
}
