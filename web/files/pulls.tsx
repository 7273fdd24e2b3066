import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Progress } from '../ui/progress.tsx'
import { toast } from '../ui/toast.ts'
import { FileName, visible } from './file-name.tsx'
import { nameOf } from './paths.ts'
import { filesKey, pullsQuery } from './queries.ts'
import { filesText } from './text.ts'

/** What the server's machine fetches from URLs now; says how each ended. */
export function Pulls({ serverId }: { serverId: string }) {
  const t = useText(filesText)
  const format = useFormat()
  const queries = useQueryClient()
  const { data } = useQuery(pullsQuery(serverId))
  // What was over before is no news.
  const told = useRef<Set<string> | null>(null)
  const words = useRef(t)
  words.current = t
  useEffect(() => {
    if (!data) return
    const over = data.filter(({ state }) => state !== 'running')
    if (told.current)
      for (const { id, file, state, message } of over) {
        if (told.current.has(id)) continue
        const name = visible(nameOf(file))
        if (state === 'done') toast.success(words.current.fetched(name))
        else toast.error(words.current.fetchFailed(name, visible(message ?? '')))
        void queries.invalidateQueries({ queryKey: filesKey(serverId) })
      }
    told.current = new Set(over.map(({ id }) => id))
  }, [data, queries, serverId])
  const running = data?.filter(({ state }) => state === 'running') ?? []
  if (running.length === 0) return null
  return (
    <section aria-label={t.fetching} className="rounded-xl border border-line bg-surface px-5 py-3">
      <h2 className="mb-1 font-medium">{t.fetching}</h2>
      <ul className="grid gap-2">
        {running.map(({ id, file, bytesDone, bytesTotal }) => {
          const done = format.bytes(bytesDone)
          return (
            <li key={id} className="grid gap-1">
              <span className="flex justify-between gap-3">
                <span className="min-w-0 truncate" title={visible(file)}>
                  <FileName name={file} />
                </span>
                <span className="shrink-0 text-muted tabular-nums">
                  {bytesTotal === null ? done : `${done} / ${format.bytes(bytesTotal)}`}
                </span>
              </span>
              {bytesTotal !== null && <Progress value={bytesDone} max={bytesTotal} label={visible(file)} text={done} />}
            </li>
          )
        })}
      </ul>
    </section>
  )
}
