import { createContext, type ReactNode, use, useEffect } from 'react'

/** What stands at the end of every page's header, given by whatever is around the pages. */
const Extras = createContext<ReactNode>(null)
export const PageExtras = Extras.Provider
export const useExtras = (): ReactNode => use(Extras)

/** A page: its title, what can be done on it, and what it shows. The title is the browser's, too. */
export function Page({
  title,
  tabTitle,
  description,
  actions,
  children,
}: {
  title: ReactNode
  tabTitle: string
  description?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  useEffect(() => {
    document.title = `${tabTitle} · Pharos`
  }, [tabTitle])
  const extras = useExtras()
  return (
    <div className="mx-auto w-full max-w-7xl px-4 py-6 sm:px-6 lg:px-8">
      <header className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <h1 className="wrap-anywhere font-semibold text-xl leading-9 tracking-tight">{title}</h1>
          {description && <p className="mt-1 max-w-2xl text-muted">{description}</p>}
        </div>
        {(actions || extras) && (
          <div className="flex flex-wrap items-center gap-2">
            {actions}
            {extras}
          </div>
        )}
      </header>
      {children}
    </div>
  )
}
