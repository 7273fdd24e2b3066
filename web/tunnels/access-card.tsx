import { queryOptions, useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { accessText } from './access-text.ts'

type Rules = Awaited<ReturnType<typeof api.tunnelAccess>>
type Change = Parameters<typeof api.updateTunnelAccess>[0]['body']

const accessQuery = (tunnel: string) =>
  queryOptions({
    queryKey: ['tunnels', tunnel, 'access'],
    queryFn: ({ signal }) => api.tunnelAccess({ params: { tunnel } }, { signal }),
  })

/** Who may visit a tunnel. Each part is saved by itself. */
export function AccessCard({ tunnel, http }: { tunnel: string; http: boolean }) {
  const t = useText(accessText)
  const query = useQuery(accessQuery(tunnel))
  return (
    <Card title={t.title} description={t.hint}>
      <Loaded query={query}>
        {(rules) => (
          <div key={JSON.stringify(rules)} className="grid gap-8 lg:grid-cols-2">
            <Networks rules={rules} />
            <MaintenanceForm rules={rules} />
            <Limits rules={rules} />
            {http && <Passwords rules={rules} />}
            {http && <SignIn rules={rules} />}
            {http && <Signature rules={rules} />}
          </div>
        )}
      </Loaded>
    </Card>
  )
}

/** One part of the rules, with what went wrong when it was saved. */
function Part({
  tunnel,
  title,
  hint,
  change,
  actions,
  children,
}: {
  tunnel: string
  title: string
  hint?: string
  /** What is typed, as the API wants it. */
  change(): Change
  actions?: ReactNode
  children: ReactNode
}) {
  const t = useText(accessText)
  const mayChange = useMay('tunnels.open')
  const save = useAction({
    run: () => api.updateTunnelAccess({ params: { tunnel }, body: change() }),
    done: t.saved,
    changes: [accessQuery(tunnel).queryKey],
    quiet: true,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!save.isPending && mayChange) save.mutate()
  }
  return (
    <form onSubmit={submit} className="grid content-start gap-3" noValidate aria-label={title}>
      <h3 className="font-semibold">{title}</h3>
      {hint && <p className="text-[13px] text-muted">{hint}</p>}
      {children}
      {save.error && <Notice tone="bad">{errorText(save.error)}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" kind="primary" small busy={save.isPending} unavailable={mayChange ? null : t.mayNot}>
          {t.save}
        </Button>
        {actions}
      </div>
    </form>
  )
}

function Networks({ rules: { tunnel, ip } }: { rules: Rules }) {
  const t = useText(accessText)
  const [allow, setAllow] = useState((ip?.allow ?? []).join('\n'))
  const [deny, setDeny] = useState((ip?.deny ?? []).join('\n'))
  const change = (): Change => {
    const next = { allow: linesOf(allow), deny: linesOf(deny) }
    return { ip: next.allow.length + next.deny.length === 0 ? null : next }
  }
  return (
    <Part tunnel={tunnel} title={t.networks} hint={t.networksHint} change={change}>
      <Field label={t.allow}>
        <TextArea rows={3} {...plain} value={allow} onChange={(event) => setAllow(event.target.value)} />
      </Field>
      <Field label={t.deny}>
        <TextArea rows={3} {...plain} value={deny} onChange={(event) => setDeny(event.target.value)} />
      </Field>
    </Part>
  )
}

function MaintenanceForm({ rules: { tunnel, maintenance } }: { rules: Rules }) {
  const t = useText(accessText)
  const [on, setOn] = useState(maintenance !== null)
  const [message, setMessage] = useState(maintenance?.message ?? '')
  const change = (): Change => ({
    maintenance: on
      ? { retryAfterSeconds: maintenance?.retryAfterSeconds ?? null, ...(message.trim() === '' ? {} : { message }) }
      : null,
  })
  return (
    <Part tunnel={tunnel} title={t.maintenance} hint={t.maintenanceHint} change={change}>
      <Switch checked={on} onChange={setOn} label={t.maintenanceOn} />
      <Field label={t.message}>
        <TextArea rows={3} maxLength={1000} value={message} onChange={(event) => setMessage(event.target.value)} />
      </Field>
    </Part>
  )
}

function Limits({ rules: { tunnel, limits } }: { rules: Rules }) {
  const t = useText(accessText)
  const [requests, setRequests] = useState(limits?.requestsPerMinute ? String(limits.requestsPerMinute) : '')
  const [rate, setRate] = useState(limits?.bytesPerSecond ? String(limits.bytesPerSecond / KiB) : '')
  const change = (): Change => {
    const next = {
      requestsPerMinute: requests.trim() === '' ? null : Number(requests),
      per: limits?.per ?? ('visitor' as const),
      bytesPerSecond: rate.trim() === '' ? null : Math.round(Number(rate) * KiB),
    }
    return { limits: next.requestsPerMinute === null && next.bytesPerSecond === null ? null : next }
  }
  return (
    <Part tunnel={tunnel} title={t.limits} hint={t.empty} change={change}>
      <Field label={t.requests}>
        <Input type="number" min={1} value={requests} onChange={(event) => setRequests(event.target.value)} />
      </Field>
      <Field label={t.rate}>
        <Input type="number" min={1} value={rate} onChange={(event) => setRate(event.target.value)} />
      </Field>
    </Part>
  )
}

function Passwords({ rules: { tunnel, basic } }: { rules: Rules }) {
  const t = useText(accessText)
  const mayChange = useMay('tunnels.open')
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const changes = [accessQuery(tunnel).queryKey]
  const give = useAction({
    run: () => api.putAccessUser({ params: { tunnel, user }, body: { password } }),
    done: t.given,
    changes,
    quiet: true,
  })
  const take = useAction({
    run: (name: string) => api.deleteAccessUser({ params: { tunnel, user: name } }),
    done: t.taken,
    changes,
  })
  const stop = useAction({
    run: () => api.updateTunnelAccess({ params: { tunnel }, body: { basic: null } }),
    done: t.saved,
    changes,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!give.isPending && mayChange) give.mutate()
  }
  return (
    <form onSubmit={submit} className="grid content-start gap-3" aria-label={t.passwords}>
      <h3 className="font-semibold">{t.passwords}</h3>
      <p className="text-[13px] text-muted">{t.passwordsHint}</p>
      {basic?.users.length === 0 && <Notice tone="warn">{t.nobody}</Notice>}
      <ul className="grid gap-1 empty:hidden">
        {(basic?.users ?? []).map((name) => (
          <li key={name} className="flex items-center justify-between gap-2">
            <span className="wrap-anywhere">{name}</span>
            <Button
              small
              aria-label={`${t.remove}: ${name}`}
              busy={take.isPending && take.variables === name}
              unavailable={mayChange ? null : t.mayNot}
              onClick={() => take.mutate(name)}
            >
              {t.remove}
            </Button>
          </li>
        ))}
      </ul>
      <Field label={t.name}>
        <Input {...plain} required maxLength={64} value={user} onChange={(event) => setUser(event.target.value)} />
      </Field>
      <Field label={t.password}>
        <Input
          type="password"
          autoComplete="new-password"
          required
          minLength={8}
          maxLength={128}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {give.error && <Notice tone="bad">{errorText(give.error)}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" kind="primary" small busy={give.isPending} unavailable={mayChange ? null : t.mayNot}>
          {t.give}
        </Button>
        {basic && (
          <Button small busy={stop.isPending} unavailable={mayChange ? null : t.mayNot} onClick={() => stop.mutate()}>
            {t.off}
          </Button>
        )}
      </div>
    </form>
  )
}

function SignIn({ rules: { tunnel, oidc } }: { rules: Rules }) {
  const t = useText(accessText)
  const [issuer, setIssuer] = useState(oidc?.issuer ?? '')
  const [clientId, setClientId] = useState(oidc?.clientId ?? '')
  const [secret, setSecret] = useState('')
  const [who, setWho] = useState([...(oidc?.emails ?? []), ...(oidc?.domains ?? []).map((one) => `@${one}`)].join('\n'))
  const same = oidc !== null && oidc.issuer === issuer.trim() && oidc.clientId === clientId.trim()
  const change = (): Change => {
    if (issuer.trim() === '') return { oidc: null }
    const named = linesOf(who)
    const claims = oidc?.claims ?? {}
    return {
      oidc: {
        issuer: issuer.trim(),
        clientId: clientId.trim(),
        scopes: oidc?.scopes ?? ['openid', 'email'],
        emails: named.filter((one) => !one.startsWith('@')),
        domains: named.filter((one) => one.startsWith('@')).map((one) => one.slice(1)),
        claims,
        anybody: named.length === 0 && Object.keys(claims).length === 0,
        sessionHours: oidc?.sessionHours ?? 12,
        ...(secret === '' ? (same ? {} : { clientSecret: null }) : { clientSecret: secret }),
      },
    }
  }
  const signOut = useAction({
    run: () => api.endAccessSessions({ params: { tunnel } }),
    done: t.signedOut,
    changes: [accessQuery(tunnel).queryKey],
  })
  return (
    <Part
      tunnel={tunnel}
      title={t.signIn}
      hint={t.signInHint}
      change={change}
      actions={
        oidc && (
          <Button small busy={signOut.isPending} onClick={() => signOut.mutate()}>
            {t.signOut}
          </Button>
        )
      }
    >
      <Field label={t.issuer}>
        <Input {...plain} type="url" value={issuer} onChange={(event) => setIssuer(event.target.value)} />
      </Field>
      <Field label={t.clientId}>
        <Input {...plain} value={clientId} onChange={(event) => setClientId(event.target.value)} />
      </Field>
      <Field label={t.clientSecret} hint={same && oidc.confidential ? t.secretKept : t.secretNone}>
        <Input type="password" autoComplete="off" value={secret} onChange={(event) => setSecret(event.target.value)} />
      </Field>
      <Field label={t.emails} hint={t.emailsHint}>
        <TextArea rows={3} {...plain} value={who} onChange={(event) => setWho(event.target.value)} />
      </Field>
      {oidc?.redirectUris[0] && (
        <p className="text-[13px] text-muted">
          {t.redirect} <Copyable text={oidc.redirectUris[0]} />
        </p>
      )}
    </Part>
  )
}

type Signer = NonNullable<Rules['signature']>['signer']

/** Those that need no more than a secret; `hmac` is described in the command line. */
const plainSigners: readonly Signer[] = ['github', 'gitlab', 'stripe', 'slack', 'shopify', 'standard']

function Signature({ rules: { tunnel, signature } }: { rules: Rules }) {
  const t = useText(accessText)
  const [signer, setSigner] = useState<Signer | ''>(signature?.signer ?? '')
  const [secret, setSecret] = useState('')
  const choices = signature?.signer === 'hmac' ? [...plainSigners, 'hmac' as const] : plainSigners
  const change = (): Change => {
    if (signer === '') return { signature: null }
    const kept = signature?.signer === signer ? signature : { signer }
    return { signature: { ...kept, ...(secret === '' ? {} : { secret }) } }
  }
  return (
    <Part tunnel={tunnel} title={t.signature} hint={t.signatureHint} change={change}>
      <Field label={t.signer}>
        <Select
          value={signer}
          choices={[{ value: '', label: t.nobodySigns }, ...choices.map((value) => ({ value, label: value }))]}
          onChange={(next) => setSigner(next)}
        />
      </Field>
      {signer !== '' && (
        <Field label={t.secret} hint={signature?.signer === signer ? t.secretKept : undefined}>
          <Input
            type="password"
            autoComplete="off"
            value={secret}
            onChange={(event) => setSecret(event.target.value)}
          />
        </Field>
      )}
    </Part>
  )
}

const KiB = 1024

const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const

const linesOf = (text: string): string[] =>
  text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
