import { CircleAlert, Info, LoaderCircle, type LucideIcon, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'
import { classNames } from './class-names.ts'
import { uiText } from './text.ts'

/** Nothing is here yet: says what it is for and what to do. */
export function EmptyState({
  icon: Icon,
  title,
  children,
  actions,
  heading: Heading = 'h2',
}: {
  icon: LucideIcon
  title: ReactNode
  children?: ReactNode
  actions?: ReactNode
  /** `h1` where it is all of the page. */
  heading?: 'h1' | 'h2'
}) {
  return (
    <div className="grid justify-items-center gap-3 px-6 py-14 text-center">
      <span className="rounded-full bg-accent-soft p-3">
        <Icon aria-hidden className="size-6 text-accent-text" />
      </span>
      <Heading className="font-semibold text-base">{title}</Heading>
      {children && <p className="max-w-md text-balance text-muted">{children}</p>}
      {actions && <div className="mt-1 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  )
}

/** Something could not be shown; `children` says what and what next. */
export function ErrorState({ title, children, onRetry }: { title: ReactNode; children?: ReactNode; onRetry?(): void }) {
  const t = useText(uiText)
  return (
    <div role="alert" className="grid justify-items-center gap-3 px-6 py-14 text-center">
      <span className="rounded-full bg-bad-soft p-3">
        <CircleAlert aria-hidden className="size-6 text-bad" />
      </span>
      <h2 className="font-semibold text-base">{title}</h2>
      {children && <p className="wrap-anywhere max-w-lg text-muted">{children}</p>}
      {onRetry && <Button onClick={onRetry}>{t.retry}</Button>}
    </div>
  )
}

const tones = {
  info: { icon: Info, look: 'bg-accent-soft text-ink', mark: 'text-accent-text' },
  warn: { icon: TriangleAlert, look: 'bg-warn-soft text-ink', mark: 'text-warn' },
  bad: { icon: CircleAlert, look: 'bg-bad-soft text-ink', mark: 'text-bad' },
} as const

/** A few words that belong to what is below. */
export function Notice({
  tone = 'info',
  children,
  actions,
}: {
  tone?: keyof typeof tones
  children: ReactNode
  actions?: ReactNode
}) {
  const { icon: Icon, look, mark } = tones[tone]
  return (
    <div
      role={tone === 'bad' ? 'alert' : 'status'}
      className={classNames('flex flex-wrap items-start gap-3 rounded-lg px-4 py-3', look)}
    >
      <Icon aria-hidden className={classNames('mt-0.5 size-4 shrink-0', mark)} />
      <div className="wrap-anywhere min-w-0 flex-[1_1_10rem]">{children}</div>
      {actions}
    </div>
  )
}

export function Loading({ label }: { label?: string }) {
  const t = useText(uiText)
  return (
    // What is there at once is not announced: nothing flashes.
    <div role="status" className="flex animate-late items-center justify-center gap-2 py-14 text-muted">
      <LoaderCircle aria-hidden className="size-5 animate-spin" />
      <span className={label ? '' : 'sr-only'}>{label ?? t.loading}</span>
    </div>
  )
}
