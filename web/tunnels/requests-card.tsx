import { useQuery } from '@tanstack/react-query'
import { Globe } from 'lucide-react'
import { useState } from 'react'
import { Loaded } from '../api/loaded.tsx'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState, Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { inspectionText } from './inspection-text.ts'
import { useLiveRequests } from './live-requests.ts'
import { Outcome } from './outcome.tsx'
import { captureQuery, type RequestSummary, requestsQuery, type Tunnel } from './queries.ts'
import { RequestDialog } from './request-dialog.tsx'

/** The last requests, as they come. */
export function RequestsCard({ tunnel }: { tunnel: Tunnel }) {
  const t = useText(inspectionText)
  const query = useQuery(requestsQuery(tunnel.id))
  useLiveRequests(tunnel.id, query.data?.cursor)
  const [shown, setShown] = useState<string | null>(null)
  return (
    <Card title={t.requests} description={t.requestsHint} flush>
      <Loaded query={query}>
        {({ requests, complete }) => (
          <>
            {!complete && (
              <div className="px-5 pb-3">
                <Notice tone="warn">{t.incomplete}</Notice>
              </div>
            )}
            <Requests tunnel={tunnel} requests={requests} onShow={setShown} />
          </>
        )}
      </Loaded>
      {shown !== null && (
        <RequestDialog tunnel={tunnel} request={shown} onShow={setShown} onClose={() => setShown(null)} />
      )}
    </Card>
  )
}

function Requests({
  tunnel,
  requests,
  onShow,
}: {
  tunnel: Tunnel
  requests: readonly RequestSummary[]
  onShow(request: string): void
}) {
  const t = useText(inspectionText)
  const format = useFormat()
  const { data: capture } = useQuery(captureQuery(tunnel.id))
  if (requests.length === 0)
    return (
      <EmptyState icon={Globe} title={t.noRequests}>
        {capture?.mode === 'off' ? t.nothingKept : t.noRequestsHint}
      </EmptyState>
    )
  return (
    <Table
      caption={t.requests}
      rows={requests}
      rowKey={({ id }) => id}
      columns={[
        {
          key: 'request',
          title: t.request,
          className: 'wrap-anywhere',
          cell: ({ method, target, targetCut, replayOf }) => (
            <span className="line-clamp-2 font-mono text-[13px]" dir="ltr">
              <span className="font-semibold">{method}</span> {target}
              {targetCut && '…'} {replayOf && <span className="font-sans text-muted text-xs">({t.again})</span>}
            </span>
          ),
        },
        { key: 'answer', title: t.answer, cell: (request) => <Outcome request={request} /> },
        {
          key: 'at',
          title: t.at,
          className: 'whitespace-nowrap',
          cell: ({ at }) => <time dateTime={at}>{format.clock(at)}</time>,
        },
        { key: 'from', title: t.from, wideOnly: true, cell: ({ address }) => address },
        {
          key: 'took',
          title: t.took,
          align: 'right',
          wideOnly: true,
          className: 'whitespace-nowrap',
          cell: ({ tookMs }) => tookMs !== null && t.ms(format.number(tookMs, tookMs < 10 ? 1 : 0)),
        },
        {
          key: 'size',
          title: t.size,
          align: 'right',
          wideOnly: true,
          className: 'whitespace-nowrap',
          cell: ({ bytesIn, bytesOut }) => `${format.bytes(bytesIn)} / ${format.bytes(bytesOut)}`,
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: ({ id, method, target }) => (
            <Button
              small
              kind="quiet"
              aria-label={`${t.show}: ${method} ${target.slice(0, 80)}`}
              onClick={() => onShow(id)}
            >
              {t.show}
            </Button>
          ),
        },
      ]}
    />
  )
}
