import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Search, X } from 'lucide-react'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState, ErrorState, Loading, Notice } from '../ui/state.tsx'
import { FileName, visible } from './file-name.tsx'
import { iconOf } from './kinds.ts'
import { nameOf, parentOf } from './paths.ts'
import { searchQuery } from './queries.ts'
import { filesText } from './text.ts'

/** What below a folder has a text in its name. */
export function SearchResults({
  serverId,
  directory,
  text,
  onEnd,
}: {
  serverId: string
  directory: string
  text: string
  onEnd(): void
}) {
  const t = useText(filesText)
  const format = useFormat()
  const { data, error, refetch } = useQuery(searchQuery(serverId, directory, text))
  return (
    <Card
      flush
      title={t.foundFor(visible(text))}
      actions={
        <Button small icon={X} onClick={onEnd}>
          {t.endSearch}
        </Button>
      }
    >
      {!data ? (
        error ? (
          <ErrorState title={visible(errorText(error))} onRetry={() => void refetch()} />
        ) : (
          <Loading />
        )
      ) : data.files.length === 0 ? (
        <EmptyState icon={Search} title={t.foundNone(visible(text))} />
      ) : (
        <>
          {!data.complete && (
            <div className="px-5 pb-3">
              <Notice>{t.foundMore}</Notice>
            </div>
          )}
          <ul className="border-line border-t">
            {data.files.map(({ path, size, isDirectory }) => {
              const name = nameOf(path)
              const Icon = iconOf({ name, isDirectory, symlink: null })
              return (
                <li
                  key={path}
                  className="flex min-h-10 items-center gap-2.5 border-line border-b px-5 py-1.5 last:border-b-0 hover:bg-sunken/60"
                >
                  <Icon aria-hidden className="size-4.5 shrink-0 text-muted" />
                  <Link
                    to="/servers/$serverId/files"
                    params={{ serverId }}
                    search={isDirectory ? { path } : { path: parentOf(path), file: name }}
                    preload={false}
                    className="wrap-anywhere min-w-0 flex-1 hover:underline"
                  >
                    <span className="text-muted">
                      <FileName name={parentOf(path) === '/' ? '/' : `${parentOf(path)}/`} />
                    </span>
                    <span className="font-medium">
                      <FileName name={name} />
                    </span>
                  </Link>
                  <span className="shrink-0 text-muted tabular-nums">{isDirectory ? '' : format.bytes(size)}</span>
                </li>
              )
            })}
          </ul>
        </>
      )}
    </Card>
  )
}
