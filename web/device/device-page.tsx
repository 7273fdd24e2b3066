import { type FormEvent, useState } from 'react'
import { rolePermissions } from '../../src/contract/permissions.ts'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount, useWorkspace } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { tokensQuery } from '../workspace/queries.ts'
import { workspaceText } from '../workspace/text.ts'
import { deviceText } from './text.ts'

type Asking = Awaited<ReturnType<typeof api.findDeviceSignIn>>

/** Where somebody types in the code that a terminal shows, sees what asks, and lets it in or not. */
export function DevicePage() {
  const t = useText(deviceText)
  const [code, setCode] = useState('')
  const [decided, setDecided] = useState<'approved' | 'denied' | null>(null)
  const find = useAction({ run: () => api.findDeviceSignIn({ body: { userCode: code } }), quiet: true })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    find.mutate()
  }
  const again = (): void => {
    setCode('')
    setDecided(null)
    find.reset()
  }
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint}>
      <div className="grid max-w-xl gap-5" aria-live="polite">
        {decided !== null ? (
          <Notice
            tone={decided === 'approved' ? 'info' : 'warn'}
            actions={
              <Button small onClick={again}>
                {t.other}
              </Button>
            }
          >
            <p>{t[decided]}</p>
            {decided === 'approved' && <p className="mt-1 text-muted">{t.keysHint}</p>}
          </Notice>
        ) : find.data ? (
          <Decision asking={find.data} code={code} onDecided={setDecided} onBack={again} />
        ) : (
          <Card>
            <form onSubmit={submit} className="grid gap-4">
              <Field label={t.code} hint={t.codeHint}>
                <Input
                  autoFocus
                  required
                  autoComplete="off"
                  autoCapitalize="characters"
                  spellCheck={false}
                  maxLength={40}
                  className="font-mono uppercase tracking-widest"
                  value={code}
                  onChange={(event) => setCode(event.target.value)}
                />
              </Field>
              {find.error && <Notice tone="bad">{errorText(find.error)}</Notice>}
              <div>
                <Button type="submit" kind="primary" busy={find.isPending}>
                  {t.find}
                </Button>
              </div>
            </form>
          </Card>
        )}
      </div>
    </Page>
  )
}

const dayMs = 86_400_000
/** How long a key may last, in days; empty: until it is revoked. */
const lifetimes = ['', '7', '30', '90', '365']

function Decision({
  asking,
  code,
  onDecided,
  onBack,
}: {
  asking: Asking
  code: string
  onDecided(decision: 'approved' | 'denied'): void
  onBack(): void
}) {
  const t = useText(deviceText)
  const { roles, roleHints } = useText(workspaceText).members
  const { workspaces, instanceAdmin } = useAccount()
  const workspace = useWorkspace()
  const [days, setDays] = useState('')
  const approve = useAction({
    run: () =>
      api.approveDeviceSignIn({
        body: {
          userCode: code,
          ...(days === '' ? {} : { expiresAt: new Date(Date.now() + Number(days) * dayMs).toISOString() }),
        },
      }),
    changes: [tokensQuery.queryKey],
    quiet: true,
    onDone: () => onDecided('approved'),
  })
  const deny = useAction({
    run: () => api.denyDeviceSignIn({ body: { userCode: code } }),
    quiet: true,
    onDone: () => onDecided('denied'),
  })
  const error = approve.error ?? deny.error
  return (
    <Card title={t.asksTitle}>
      <div className="grid gap-4">
        <Notice tone="warn">{t.careful}</Notice>
        <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[auto_1fr] [&>dd]:wrap-anywhere [&>dt]:text-muted">
          <dt>{t.code}</dt>
          <dd>
            <code className="uppercase">{code}</code>
          </dd>
          <dt>{t.client}</dt>
          <dd className="font-medium">{asking.client ?? t.unnamed}</dd>
          <dt>{t.address}</dt>
          <dd>
            <code>{asking.address}</code> ({asking.sameAddress ? t.yourAddress : t.otherAddress})
          </dd>
          <dt>{t.asked}</dt>
          <dd>
            <RelativeTime at={asking.createdAt} />
          </dd>
          {workspace && (
            <>
              <dt>{t.workspace}</dt>
              <dd>
                {workspace.name} (<code>{workspace.slug}</code>)
                {workspaces.length > 1 && <span className="block text-[13px] text-muted">{t.workspaceHint}</span>}
              </dd>
              <dt>{t.role}</dt>
              <dd>
                {roles[workspace.role]}: {roleHints[workspace.role]}
              </dd>
            </>
          )}
        </dl>
        {workspace ? (
          <>
            {instanceAdmin && <Notice tone="warn">{t.administers}</Notice>}
            <details>
              <summary className="cursor-pointer text-muted">{t.allowed}</summary>
              <ul className="mt-2 flex flex-wrap gap-x-3 gap-y-1 text-[13px]">
                {rolePermissions[workspace.role].map((permission) => (
                  <li key={permission}>
                    <code>{permission}</code>
                  </li>
                ))}
              </ul>
              <p className="mt-2 text-muted">{t.alsoServers}</p>
            </details>
            <Field label={t.expires}>
              <Select
                value={days}
                choices={lifetimes.map((value) => ({ value, label: value === '' ? t.never : t.days(Number(value)) }))}
                onChange={setDays}
              />
            </Field>
          </>
        ) : (
          <Notice tone="warn">{t.noWorkspace}</Notice>
        )}
        {error && <Notice tone="bad">{errorText(error)}</Notice>}
        <div className="flex flex-wrap gap-2">
          {workspace && (
            <Button kind="primary" busy={approve.isPending} disabled={deny.isPending} onClick={() => approve.mutate()}>
              {t.approve}
            </Button>
          )}
          <Button busy={deny.isPending} disabled={approve.isPending} onClick={() => deny.mutate()}>
            {t.deny}
          </Button>
          <Button kind="quiet" onClick={onBack}>
            {t.other}
          </Button>
        </div>
      </div>
    </Card>
  )
}
