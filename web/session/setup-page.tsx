import { useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button, buttonClass } from '../ui/button.tsx'
import { Field, Input } from '../ui/field.tsx'
import { PasswordInput } from '../ui/password-input.tsx'
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
  const [choosing, setChoosing] = useState(false)
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
    // A name may have no letter that an address can have: then somebody chooses.
    if (slugForm.test(slug)) setup.mutate()
    else setChoosing(true)
  }
  if (secret === '')
    return (
      <Gate title={t.setupTitle}>
        <div className="grid gap-4">
          <Notice tone="warn">{t.setupGone}</Notice>
          <ToSignIn />
        </div>
      </Gate>
    )
  const { error } = setup
  const wrongSlug = fieldError(error, 'workspace.slug')
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
          <PasswordInput
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
        {choosing || wrongSlug ? (
          <Field label={t.slug} hint={t.slugHint(slug || 'name')} error={wrongSlug}>
            <Input
              required
              autoFocus
              pattern={slugForm.source}
              maxLength={slugLengthMax}
              autoCapitalize="none"
              spellCheck={false}
              value={slug}
              onChange={(event) => setChosenSlug(event.target.value.toLowerCase())}
            />
          </Field>
        ) : (
          slug !== '' && (
            <p className="wrap-anywhere -mt-2 text-[13px] text-muted">
              {t.slugWillBe(slug)}{' '}
              <button
                type="button"
                className="min-h-6 text-accent-text underline underline-offset-2"
                onClick={() => setChoosing(true)}
              >
                {t.changeSlug}
              </button>
            </p>
          )
        )}
        {elsewhere && (
          <>
            <Notice tone="bad">{errorText(error)}</Notice>
            {error instanceof ApiError && error.code === 'conflict' && <ToSignIn />}
          </>
        )}
        <Button type="submit" kind="primary" busy={setup.isPending}>
          {t.begin}
        </Button>
      </form>
    </Gate>
  )
}

/** The way on for whoever comes with a link that has done its work. */
function ToSignIn() {
  const t = useText(sessionText)
  return (
    <Link to="/sign-in" className={buttonClass()}>
      {t.signIn}
    </Link>
  )
}

const slugLengthMax = 32
/** As the contract has it: a part of host names. */
const slugForm = /^[a-z][a-z0-9]{1,31}$/

/** What a workspace of that name would be called in addresses. */
function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/^[0-9]+/, '')
    .slice(0, slugLengthMax)
}
