import { useQueryClient } from '@tanstack/react-query'
import { Link, useParams, useRouter } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { buttonClass } from '../ui/button.tsx'
import { Loading, Notice } from '../ui/state.tsx'
import { Gate } from './gate.tsx'
import { SecondStep } from './second-step.tsx'
import { begin, type Person } from './session.ts'
import { sessionText } from './text.ts'

/** Where a provider sends people back to, who wanted to sign in, or to link their account: `state` tells which. */
export function ProviderReturnPage() {
  const t = useText(sessionText)
  const { provider } = useParams({ from: '/sign-in/$provider' })
  const [answer] = useState(documentQuery)
  const linking = new URLSearchParams(answer).get('state')?.startsWith('link.') ?? false
  if (answer === '') return <Failed to="/sign-in">{t.noAnswer}</Failed>
  return linking ? <Linking provider={provider} answer={answer} /> : <Entering provider={provider} answer={answer} />
}

function Entering({ provider, answer }: Answered) {
  const t = useText(sessionText)
  const queries = useQueryClient()
  const router = useRouter()
  const [step, setStep] = useState<{ challenge: string; next: string | null } | null>(null)
  const enter = (account: Person, next: string | null): void => {
    begin(queries, account)
    router.history.replace(next ?? '/servers')
  }
  const signIn = useAction({
    run: () => api.signInWithProvider({ params: { provider }, body: { answer } }),
    quiet: true,
    onDone(reply) {
      if ('secondFactor' in reply) setStep({ challenge: reply.secondFactor.challenge, next: reply.next })
      else enter(reply.account, reply.next)
    },
  })
  useOnce(() => signIn.mutate())
  if (signIn.error) return <Failed to="/sign-in">{errorText(signIn.error)}</Failed>
  if (!step) return <Waiting>{t.returning}</Waiting>
  return (
    <SecondStep
      challenge={step.challenge}
      onEnter={(account) => enter(account, step.next)}
      onBack={() => void router.navigate({ to: '/sign-in', replace: true })}
    />
  )
}

function Linking({ provider, answer }: Answered) {
  const t = useText(sessionText)
  const queries = useQueryClient()
  const router = useRouter()
  const link = useAction({
    run: () => api.linkProvider({ params: { provider }, body: { answer } }),
    quiet: true,
    onDone() {
      queries.clear()
      void router.navigate({ to: '/account', replace: true })
    },
  })
  useOnce(() => link.mutate())
  if (link.error) return <Failed to="/account">{errorText(link.error)}</Failed>
  return <Waiting>{t.linking}</Waiting>
}

interface Answered {
  provider: string
  answer: string
}

function Waiting({ children }: { children: string }) {
  const t = useText(sessionText)
  return (
    <Gate title={t.returnTitle}>
      <Loading label={children} />
    </Gate>
  )
}

function Failed({ to, children }: { to: '/sign-in' | '/account'; children: ReactNode }) {
  const t = useText(sessionText)
  return (
    <Gate title={t.returnTitle}>
      <div className="grid gap-4">
        <Notice tone="bad">{children}</Notice>
        <Link to={to} replace className={buttonClass('primary')}>
          {to === '/account' ? t.toAccount : t.toSignIn}
        </Link>
      </div>
    </Gate>
  )
}

/** An answer is good once, however often the page is drawn. */
function useOnce(work: () => void): void {
  const done = useRef(false)
  useEffect(() => {
    if (done.current) return
    done.current = true
    work()
  })
}

/**
 * The query as the provider wrote it: the router has read it as JSON by now, and written it anew, which makes another code of one that
 * looks like a number.
 */
function documentQuery(): string {
  const [entry] = performance.getEntriesByType('navigation')
  if (!entry || !URL.canParse(entry.name)) return ''
  const { pathname, search } = new URL(entry.name)
  return pathname === location.pathname ? search.slice(1) : ''
}
