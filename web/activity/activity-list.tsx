import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import type { api } from '../api/api.ts'
import { Loaded } from '../api/loaded.tsx'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { actName, actsText } from './acts-text.ts'
import { activityText } from './text.ts'

export type ActivityPage = Awaited<ReturnType<typeof api.workspaceActivity>>

const tones = { done: 'good', denied: 'bad', failed: 'warn' } as const

/** Who did what, newest first, a page at a time. `name` tells the lists of different things apart. */
export function ActivityList({
  name,
  caption,
  page,
}: {
  name: readonly string[]
  caption: string
  page(cursor: string | undefined, signal: AbortSignal): Promise<ActivityPage>
}) {
  const t = useText(activityText)
  const query = useInfiniteQuery({
    queryKey: ['activity', ...name],
    queryFn: ({ pageParam, signal }) => page(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextCursor }) => nextCursor ?? undefined,
  })
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query
  return (
    <div className="grid gap-4">
      <Card flush>
        <Loaded query={query}>
          {({ pages }) => <Entries caption={caption} entries={pages.flatMap(({ entries }) => entries)} />}
        </Loaded>
      </Card>
      {hasNextPage && (
        <Button className="justify-self-center" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t.older}
        </Button>
      )}
    </div>
  )
}

function Entries({ caption, entries }: { caption: string; entries: ActivityPage['entries'] }) {
  const t = useText(activityText)
  const acts = useText(actsText)
  if (entries.length === 0)
    return (
      <EmptyState icon={History} title={t.none}>
        {t.noneHint}
      </EmptyState>
    )
  return (
    <Table
      caption={caption}
      rows={entries}
      rowKey={({ id }) => id}
      columns={[
        {
          key: 'what',
          title: t.what,
          className: 'wrap-anywhere',
          cell: (entry) => (
            <span>
              <span className="font-medium" title={entry.permission ?? entry.operation}>
                {actName(acts, entry)}
              </span>
              {entry.subject && <span className="block text-muted text-xs">{entry.subject}</span>}
            </span>
          ),
        },
        {
          key: 'who',
          title: t.who,
          className: 'wrap-anywhere',
          cell: ({ email, via, address }) => (
            <span>
              {email ?? (address === null ? t.itself : t.nobody)}
              {via && <span className="block text-muted text-xs">{t.via[via]}</span>}
            </span>
          ),
        },
        {
          key: 'from',
          title: t.from,
          wideOnly: true,
          cell: ({ address, userAgent }) => (
            <span title={userAgent ?? undefined} className="font-mono text-[13px]">
              {address}
            </span>
          ),
        },
        { key: 'when', title: t.when, cell: ({ at }) => <RelativeTime at={at} /> },
        {
          key: 'outcome',
          title: t.outcome,
          cell: ({ outcome, code }) => (
            <span title={code ?? undefined}>
              <Badge tone={tones[outcome]}>{t.outcomes[outcome]}</Badge>
            </span>
          ),
        },
      ]}
    />
  )
}
