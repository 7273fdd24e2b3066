import { SearchCheck } from 'lucide-react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/state.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { type Domain, domainsQuery } from './queries.ts'
import { CertificateState, DomainState } from './state.tsx'
import { domainsText } from './text.ts'

/** The records of a domain, what was found of them, and its certificate. */
export function DomainDetails({ domain, mayCheck, onClose }: { domain: Domain; mayCheck: boolean; onClose(): void }) {
  const t = useText(domainsText)
  const addresses = domain.records.filter(({ purpose }) => purpose === 'address').length
  return (
    <Dialog open onOpenChange={onClose} title={domain.displayName} description={t.recordsHint} wide>
      <div className="grid min-w-0 gap-5">
        <section className="grid min-w-0 gap-2">
          <h3 className="font-medium">{t.records}</h3>
          <ul className="grid min-w-0 gap-2">
            {domain.records.map(({ purpose, type, name, value }) => (
              <li key={`${type} ${name} ${value}`} className="grid min-w-0 gap-1 rounded-lg bg-sunken px-4 py-3">
                <span className="text-muted text-xs">
                  <code className="font-mono font-semibold text-ink">{type}</code> {t.purposes[purpose]}
                </span>
                <Copyable text={name} />
                <Copyable text={value} />
              </li>
            ))}
          </ul>
          {addresses > 1 && <p className="text-muted text-xs">{t.oneIsEnough}</p>}
        </section>
        <Found domain={domain} mayCheck={mayCheck} />
        <Certificate domain={domain} />
      </div>
    </Dialog>
  )
}

function Found({ domain, mayCheck }: { domain: Domain; mayCheck: boolean }) {
  const t = useText(domainsText)
  const format = useFormat()
  const look = useAction({
    run: () => api.checkDomain({ params: { domain: domain.id } }),
    done: t.checked,
    changes: [domainsQuery.queryKey],
  })
  const { check, state, offAt } = domain
  const reason = check?.reason ?? null
  const refused = reason === 'taken' || reason === 'reserved'
  return (
    <section className="grid min-w-0 gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h3 className="inline-flex items-center gap-2 font-medium">
          {t.state} <DomainState domain={domain} />
        </h3>
        <Button
          icon={SearchCheck}
          busy={look.isPending}
          unavailable={mayCheck ? undefined : t.mayNot}
          onClick={() => look.mutate()}
        >
          {t.check}
        </Button>
      </div>
      {state === 'warned' && offAt !== null && <Notice tone="warn">{t.warnedText(format.time(offAt))}</Notice>}
      {state === 'off' && !refused && <Notice tone="bad">{t.offText}</Notice>}
      {check === null ? (
        <p className="text-muted">{t.never}</p>
      ) : (
        <>
          {refused && <Notice tone="bad">{t.checkReasons[reason]}</Notice>}
          {!refused && (
            <p>
              {reason === null
                ? `${t.ownership[check.ownership]} ${t.addresses[check.address]}`
                : t.checkReasons[reason]}
            </p>
          )}
          {check.found.length > 0 && (
            <p className="wrap-anywhere text-muted">
              {t.found}: <span className="font-mono text-xs">{check.found.join(', ')}</span>
            </p>
          )}
          <p className="text-muted text-xs">
            {t.lastCheck}: <RelativeTime at={check.at} />
          </p>
        </>
      )}
    </section>
  )
}

function Certificate({ domain }: { domain: Domain }) {
  const t = useText(domainsText)
  const format = useFormat()
  const { state, reason, detail, expiresAt, renewsAt, nextAt } = domain.certificate
  const isToCome = state === 'none' || state === 'waiting'
  return (
    <section className="grid min-w-0 gap-2">
      <h3 className="inline-flex items-center gap-2 font-medium">
        {t.certificate} <CertificateState domain={domain} />
      </h3>
      <p>{isToCome && reason !== null ? t.certificateReasons[reason] : t.certificateHints[state]}</p>
      {!isToCome && reason !== null && (
        <Notice tone={state === 'failed' ? 'bad' : 'warn'}>
          {t.certificateReasons[reason]}
          {detail !== null && (
            <span className="mt-1 block font-mono text-xs">
              {t.said}: <bdi>{detail}</bdi>
            </span>
          )}
        </Notice>
      )}
      <p className="text-muted text-xs">
        {expiresAt !== null && `${t.expires}: ${format.time(expiresAt)}. `}
        {renewsAt !== null && `${t.renews}: ${format.time(renewsAt)}. `}
        {state === 'failed' && nextAt !== null && `${t.again}: ${format.time(nextAt)}.`}
      </p>
    </section>
  )
}
