import type { ReactNode } from 'react'
import { classNames } from './class-names.ts'

export function Card({
  title,
  description,
  actions,
  children,
  className,
  flush = false,
}: {
  title?: ReactNode
  description?: ReactNode
  actions?: ReactNode
  children?: ReactNode
  className?: string
  /** Without padding: for tables and lists that reach its edges. */
  flush?: boolean
}) {
  return (
    <section
      className={classNames('min-w-0 rounded-xl border border-line bg-surface', flush && 'overflow-clip', className)}
    >
      {(title || actions) && (
        <header className="flex flex-wrap items-start justify-between gap-3 px-5 pt-4 pb-3">
          <div className="min-w-0">
            {title && <h2 className="font-semibold text-[15px]">{title}</h2>}
            {description && <p className="mt-0.5 text-muted">{description}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
      )}
      <div className={flush ? '' : classNames('px-5 pb-5', !(title || actions) && 'pt-5')}>{children}</div>
    </section>
  )
}
