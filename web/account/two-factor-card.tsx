import { useSuspenseQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { QrCode } from './qr-code.tsx'
import { RecoveryCodes } from './recovery-codes.tsx'
import { twoFactorQuery } from './security-queries.ts'
import { securityText } from './security-text.ts'

/** The code that signing in asks for after the password. */
export function TwoFactorCard() {
  const t = useText(securityText)
  const { data } = useSuspenseQuery(twoFactorQuery)
  const [open, setOpen] = useState<'turn-on' | 'renew' | 'turn-off' | null>(null)
  const [codes, setCodes] = useState<string[] | null>(null)
  const close = (): void => setOpen(null)
  const show = ({ recoveryCodes }: { recoveryCodes: string[] }): void => {
    close()
    setCodes(recoveryCodes)
  }
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2">
          {t.twoFactorTitle} <Badge tone={data.enabled ? 'good' : 'plain'}>{data.enabled ? t.on : t.off}</Badge>
        </span>
      }
      description={data.enabled ? t.codesLeft(data.recoveryCodesLeft) : t.twoFactorHint}
    >
      <div className="flex flex-wrap gap-2">
        {data.enabled ? (
          <>
            <Button onClick={() => setOpen('renew')}>{t.renew}</Button>
            <Button onClick={() => setOpen('turn-off')}>{t.turnOff}</Button>
          </>
        ) : (
          <Button kind="primary" onClick={() => setOpen('turn-on')}>
            {t.turnOn}
          </Button>
        )}
      </div>
      {open === 'turn-on' && <TurnOn onClose={close} onDone={show} />}
      {open === 'renew' && (
        <WithCode
          title={t.renew}
          hint={t.renewHint}
          submit={t.renew}
          run={(body) => api.renewRecoveryCodes({ body })}
          onDone={show}
          onClose={close}
        />
      )}
      {open === 'turn-off' && (
        <WithCode
          title={t.turnOff}
          hint={t.turnOffHint}
          submit={t.turnOff}
          danger
          run={(body) => api.disableTwoFactor({ body })}
          onDone={close}
          onClose={close}
        />
      )}
      {codes && <RecoveryCodes codes={codes} onClose={() => setCodes(null)} />}
    </Card>
  )
}

function TurnOn({ onClose, onDone }: { onClose(): void; onDone(reply: { recoveryCodes: string[] }): void }) {
  const t = useText(securityText)
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const begin = useAction({ run: () => api.beginTwoFactor({ body: { password } }), quiet: true })
  const confirm = useAction({
    run: () => api.confirmTwoFactor({ body: { code } }),
    changes: [twoFactorQuery.queryKey],
    quiet: true,
    onDone,
  })
  const { data } = begin
  const error = confirm.error ?? begin.error
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.turnOn}
      description={data ? t.scanHint : t.passwordFirst}
      submit={data ? t.turnOn : t.goOn}
      busy={begin.isPending || confirm.isPending}
      disabled={data ? code === '' : password === ''}
      onSubmit={() => (data ? confirm.mutate() : begin.mutate())}
    >
      {data ? (
        <>
          <div className="grid justify-items-center gap-2">
            <QrCode text={data.url} label={t.qrLabel} />
            <p className="text-[13px] text-muted">{t.typeInstead}</p>
            <Copyable text={data.secret} />
          </div>
          <CodeField value={code} onChange={setCode} label={t.appCode} />
        </>
      ) : (
        <PasswordField value={password} onChange={setPassword} />
      )}
      {error && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}

function WithCode<Output>({
  title,
  hint,
  submit,
  danger = false,
  run,
  onDone,
  onClose,
}: {
  title: string
  hint: string
  submit: string
  danger?: boolean
  run(body: { password: string; code: string }): Promise<Output>
  onDone(output: Output): void
  onClose(): void
}) {
  const t = useText(securityText)
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const act = useAction({
    run: () => run({ password, code }),
    changes: [twoFactorQuery.queryKey],
    quiet: true,
    onDone,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={title}
      description={hint}
      submit={submit}
      danger={danger}
      busy={act.isPending}
      disabled={password === '' || code === ''}
      onSubmit={() => act.mutate()}
    >
      <PasswordField value={password} onChange={setPassword} />
      <CodeField value={code} onChange={setCode} label={t.anyCode} />
      {act.error && <Notice tone="bad">{errorText(act.error)}</Notice>}
    </FormDialog>
  )
}

/** The password of the account, once more. */
export function PasswordField({ value, onChange }: { value: string; onChange(value: string): void }) {
  const t = useText(securityText)
  return (
    <Field label={t.password}>
      <Input
        type="password"
        autoComplete="current-password"
        required
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  )
}

function CodeField({ value, onChange, label }: { value: string; onChange(value: string): void; label: string }) {
  return (
    <Field label={label}>
      <Input
        autoComplete="one-time-code"
        autoCapitalize="none"
        spellCheck={false}
        required
        maxLength={40}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  )
}
