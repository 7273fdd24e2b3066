import { Link } from '@tanstack/react-router'
import { ChevronRight, HardDrive } from 'lucide-react'
import { Fragment } from 'react'
import { useText } from '../i18n/language.tsx'
import { FileName } from './file-name.tsx'
import { partsOf } from './paths.ts'
import { filesText } from './text.ts'

/** Where one is, and the way back up. The last part is where one is. */
export function Breadcrumb({ serverId, path }: { serverId: string; path: string }) {
  const t = useText(filesText)
  const parts = partsOf(path)
  return (
    <nav aria-label={t.where} className="min-w-0">
      <ol className="flex min-w-0 flex-wrap items-center gap-x-0.5">
        <li>
          <Link
            to="/servers/$serverId/files"
            params={{ serverId }}
            search={{}}
            aria-current={parts.length === 0 ? 'page' : undefined}
            className="inline-flex h-8 items-center gap-1.5 rounded-md px-1.5 font-medium hover:bg-sunken"
          >
            <HardDrive aria-hidden className="size-4 text-muted" />
            <span className={parts.length > 0 ? 'max-sm:sr-only' : ''}>{t.home}</span>
          </Link>
        </li>
        {parts.map((part, position) => {
          const here = `/${parts.slice(0, position + 1).join('/')}`
          const isLast = position === parts.length - 1
          return (
            <Fragment key={here}>
              <li aria-hidden>
                <ChevronRight className="size-4 text-muted" />
              </li>
              <li className="min-w-0">
                {isLast ? (
                  <span aria-current="page" className="wrap-anywhere block px-1.5 font-medium">
                    <FileName name={part} />
                  </span>
                ) : (
                  <Link
                    to="/servers/$serverId/files"
                    params={{ serverId }}
                    search={{ path: here }}
                    className="inline-flex h-8 max-w-48 items-center rounded-md px-1.5 hover:bg-sunken"
                  >
                    <span className="truncate">
                      <FileName name={part} />
                    </span>
                  </Link>
                )}
              </li>
            </Fragment>
          )
        })}
      </ol>
    </nav>
  )
}
