import { useInfiniteQuery } from '@tanstack/react-query'
import { ShieldCheck } from 'lucide-react'
import { AdministratorsPage } from '../admin/administrators-page.tsx'
import { api } from '../api/api.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { abuseText } from './text.ts'

type Report = Awaited<ReturnType<typeof api.abuseReports>>['reports'][number]

const queryKey = ['abuse-reports']

/** What people tell of tunnels, for whoever runs the installation. */
export function AbuseReportsPage() {
  const t = useText(abuseText)
  return (
    <AdministratorsPage title={t.title}>
      <Page title={t.title} tabTitle={t.title} description={t.hint}>
        <Reports />
      </Page>
    </AdministratorsPage>
  )
}

function Reports() {
  const t = useText(abuseText)
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      api.abuseReports({ query: pageParam === null ? {} : { cursor: pageParam } }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
  })
  const { hasNextPage, fetchNextPage, isFetchingNextPage } = query
  return (
    <div className="grid gap-4">
      <Card flush>
        <Loaded query={query}>{({ pages }) => <List reports={pages.flatMap(({ reports }) => reports)} />}</Loaded>
      </Card>
      {hasNextPage && (
        <Button className="justify-self-center" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t.more}
        </Button>
      )}
    </div>
  )
}

function List({ reports }: { reports: readonly Report[] }) {
  const t = useText(abuseText)
  const change = useAction({
    run: ({ id, state }: Report) =>
      api.updateAbuseReport({ params: { report: id }, body: { state: state === 'open' ? 'closed' : 'open' } }),
    done: t.changed,
    changes: [queryKey],
  })
  if (reports.length === 0)
    return (
      <EmptyState icon={ShieldCheck} title={t.none}>
        {t.noneHint}
      </EmptyState>
    )
  return (
    <Table
      caption={t.title}
      rows={reports}
      rowKey={({ id }) => id}
      columns={[
        {
          key: 'address',
          title: t.address,
          className: 'wrap-anywhere',
          cell: ({ url, category, message, note }) => (
            <span className="grid gap-1">
              <span className="font-medium">{url}</span>
              <span className="text-muted text-xs">{t.categories[category]}</span>
              <span className="whitespace-pre-line">{message}</span>
              {note && <span className="text-muted text-xs">{note}</span>}
            </span>
          ),
        },
        {
          key: 'workspace',
          title: t.of,
          className: 'wrap-anywhere',
          cell: ({ workspace, tunnel, suspended }) => (
            <span>
              {workspace === null ? t.nobodys : `${workspace}${tunnel === null ? '' : ` / ${tunnel}`}`}
              {suspended && <Badge tone="warn">{t.suspended}</Badge>}
            </span>
          ),
        },
        {
          key: 'by',
          title: t.by,
          wideOnly: true,
          className: 'wrap-anywhere',
          cell: ({ email, address }) => email ?? address,
        },
        { key: 'at', title: t.at, wideOnly: true, cell: ({ createdAt }) => <RelativeTime at={createdAt} /> },
        {
          key: 'state',
          title: t.state,
          cell: ({ state }) => <Badge tone={state === 'open' ? 'warn' : 'plain'}>{t.states[state]}</Badge>,
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (report) => (
            <Button
              small
              busy={change.isPending && change.variables?.id === report.id}
              onClick={() => change.mutate(report)}
            >
              {report.state === 'open' ? t.close : t.reopen}
            </Button>
          ),
        },
      ]}
    />
  )
}
