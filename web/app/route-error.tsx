import { useQueryClient } from '@tanstack/react-query'
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router'
import { Lock, type LucideIcon, MapPinOff } from 'lucide-react'
import { type ReactNode, useEffect } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { errorText } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { end } from '../session/session.ts'
import { buttonClass } from '../ui/button.tsx'
import { EmptyState, ErrorState } from '../ui/state.tsx'
import { appText } from './text.ts'

/** Shown in place of a page that failed. Somebody whose session has ended goes to the sign-in and comes back afterwards. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  const t = useText(appText)
  const router = useRouter()
  const queries = useQueryClient()
  const ended = error instanceof ApiError && error.code === 'unauthorized'
  // A chunk of a version that the panel no longer serves.
  const outdated = error instanceof Error && /dynamically imported module|module script/i.test(error.message)
  useEffect(() => {
    if (!ended) return
    end(queries)
    void router.navigate({ to: '/sign-in', search: { next: location.pathname + location.search } })
  }, [ended, queries, router])
  if (ended) return null
  if (outdated)
    return (
      <ErrorState title={t.newVersion}>
        <button type="button" className={buttonClass('primary')} onClick={() => location.reload()}>
          {t.reload}
        </button>
      </ErrorState>
    )
  if (error instanceof ApiError && error.code === 'not_found') return <NotFound />
  if (error instanceof ApiError && error.code === 'forbidden')
    return (
      <DeadEnd icon={Lock} title={t.forbiddenTitle}>
        {errorText(error)}
      </DeadEnd>
    )
  return (
    <ErrorState
      title={t.brokenTitle}
      onRetry={() => {
        reset()
        void router.invalidate()
      }}
    >
      {errorText(error)}
    </ErrorState>
  )
}

export function NotFound() {
  const t = useText(appText)
  return (
    <DeadEnd icon={MapPinOff} title={t.notFoundTitle}>
      {t.notFoundText}
    </DeadEnd>
  )
}

/** A page that leads nowhere, and the way back. */
function DeadEnd({ icon, title, children }: { icon: LucideIcon; title: string; children: ReactNode }) {
  const t = useText(appText)
  useEffect(() => {
    document.title = `${title} · Pharos`
  }, [title])
  const back = (
    <Link to="/servers" className={buttonClass('primary')}>
      {t.toServers}
    </Link>
  )
  return (
    <EmptyState icon={icon} title={title} actions={back} heading="h1">
      {children}
    </EmptyState>
  )
}
