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
      {/* Where there is little room, the actions have a line of their own below, and the extras stay beside the title. */}
      <header className="mb-5 grid grid-cols-[minmax(0,1fr)_auto] items-start gap-x-2 md:grid-cols-[minmax(16rem,1fr)_minmax(0,auto)_auto]">
        <h1 className="wrap-anywhere font-semibold text-xl leading-9 tracking-tight">{title}</h1>
        {description && <p className="col-span-2 row-start-2 mt-1 max-w-2xl text-muted md:col-span-1">{description}</p>}
        {actions && (
          <div className="col-span-2 row-start-3 mt-3 flex min-w-0 flex-wrap items-center gap-2 md:col-span-1 md:col-start-2 md:row-span-2 md:row-start-1 md:mt-0 md:ml-4">
            {actions}
          </div>
        )}
        <div className="col-start-2 row-start-1 md:col-start-3">{extras}</div>
      </header>
      {children}
    </div>
  )
}
