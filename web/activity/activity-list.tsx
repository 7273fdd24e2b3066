import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import type { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState, ErrorState, Loading } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
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
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['activity', ...name],
    queryFn: ({ pageParam, signal }) => page(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ nextCursor }) => nextCursor ?? undefined,
  })
  const entries = data?.pages.flatMap(({ entries: some }) => some)
  if (!entries) return error ? <ErrorState title={errorText(error)} onRetry={() => void refetch()} /> : <Loading />
  if (entries.length === 0)
    return (
      <Card>
        <EmptyState icon={History} title={t.none}>
          {t.noneHint}
        </EmptyState>
      </Card>
    )
  return (
    <div className="grid justify-items-center gap-4">
      <Card flush className="w-full">
        <Table
          caption={caption}
          rows={entries}
          rowKey={({ id }) => id}
          columns={[
            { key: 'when', title: t.when, cell: ({ at }) => <RelativeTime at={at} /> },
            {
              key: 'what',
              title: t.what,
              className: 'wrap-anywhere',
              cell: ({ operation, permission, subject }) => (
                <>
                  <span className="font-medium">{permission ?? operation}</span>
                  {subject && <span className="block text-muted text-xs">{subject}</span>}
                </>
              ),
            },
            {
              key: 'who',
              title: t.who,
              className: 'wrap-anywhere',
              cell: ({ email, via }) => (
                <>
                  {email ?? t.nobody}
                  {via && <span className="block text-muted text-xs">{t.via[via]}</span>}
                </>
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
      </Card>
      {hasNextPage && (
        <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t.older}
        </Button>
      )}
    </div>
  )
}
