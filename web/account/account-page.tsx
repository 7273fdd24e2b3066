import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ActivityList } from '../activity/activity-list.tsx'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { browserName } from './browser-name.ts'
import { PasskeysCard } from './passkeys-card.tsx'
import { PreferencesCard } from './preferences-card.tsx'
import { linkedProvidersQuery } from './security-queries.ts'
import { SignInProvidersCard } from './sign-in-providers-card.tsx'
import { SshKeysCard } from './ssh-keys-card.tsx'
import { accountText } from './text.ts'
import { TwoFactorCard } from './two-factor-card.tsx'

const sessionsQuery = queryOptions({
  queryKey: ['sessions'],
  queryFn: ({ signal }) => api.sessions({}, { signal }),
})

export function AccountPage() {
  const t = useText(accountText)
  const { email } = useAccount()
  return (
    <Page title={t.title} tabTitle={t.title} description={email}>
      <div className="grid gap-5">
        <PreferencesCard />
        <PasswordCard />
        <TwoFactorCard />
        <PasskeysCard />
        <SignInProvidersCard />
        <SshKeysCard />
        <SessionsCard />
        <h2 className="font-semibold text-[15px]">{t.activityTitle}</h2>
        <ActivityList
          name={['account']}
          caption={t.activityTitle}
          page={(cursor, signal) => api.accountActivity({ query: cursor === undefined ? {} : { cursor } }, { signal })}
        />
      </div>
    </Page>
  )
}

function PasswordCard() {
  const t = useText(accountText)
  const { hasPassword } = useSuspenseQuery(linkedProvidersQuery).data
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const change = useAction({
    run: () => api.changePassword({ body: { current, password } }),
    done: t.changed,
    changes: [sessionsQuery.queryKey, linkedProvidersQuery.queryKey],
    quiet: true,
    onDone() {
      setCurrent('')
      setPassword('')
    },
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    change.mutate()
  }
  const wrong = fieldError(change.error, 'password')
  return (
    <Card title={hasPassword ? t.passwordTitle : t.setTitle} description={hasPassword ? t.passwordHint : t.setHint}>
      <form onSubmit={submit} className="grid max-w-md gap-4">
        {hasPassword && (
          <Field label={t.current}>
            <Input
              type="password"
              autoComplete="current-password"
              required
              value={current}
              onChange={(event) => setCurrent(event.target.value)}
            />
          </Field>
        )}
        <Field label={t.next} hint={t.nextHint} error={wrong}>
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
        {change.error && !wrong && <Notice tone="bad">{errorText(change.error)}</Notice>}
        <div>
          <Button type="submit" kind="primary" busy={change.isPending}>
            {hasPassword ? t.change : t.set}
          </Button>
        </div>
      </form>
    </Card>
  )
}

function SessionsCard() {
  const t = useText(accountText)
  const format = useFormat()
  const { data } = useSuspenseQuery(sessionsQuery)
  const end = useAction({
    run: (session: string) => api.endSession({ params: { session } }),
    done: t.ended,
    changes: [sessionsQuery.queryKey],
  })
  const nameOf = (userAgent: string | null): string => {
    const known = browserName(userAgent ?? '')
    return known ? t.browserOn(known.browser, known.system) : (userAgent ?? t.unknownDevice)
  }
  return (
    <Card title={t.sessionsTitle} flush>
      <Table
        caption={t.sessionsTitle}
        rows={data.sessions}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'device',
            title: t.device,
            className: 'wrap-anywhere',
            cell: ({ userAgent, current }) => (
              <span title={userAgent ?? undefined}>
                {nameOf(userAgent)} {current && <Badge tone="good">{t.here}</Badge>}
              </span>
            ),
          },
          { key: 'address', title: t.address, cell: ({ address }) => <code className="text-[13px]">{address}</code> },
          { key: 'used', title: t.lastUsed, cell: ({ lastUsedAt }) => <RelativeTime at={lastUsedAt} /> },
          { key: 'expires', title: t.expires, wideOnly: true, cell: ({ expiresAt }) => format.date(expiresAt) },
          {
            key: 'actions',
            title: t.actions,
            align: 'right',
            cell: ({ id, current, userAgent, address }) =>
              !current && (
                <Button
                  small
                  kind="quiet"
                  aria-label={`${t.end}: ${nameOf(userAgent)}, ${address}`}
                  busy={end.isPending && end.variables === id}
                  onClick={() => end.mutate(id)}
                >
                  {t.end}
                </Button>
              ),
          },
        ]}
      />
    </Card>
  )
}
