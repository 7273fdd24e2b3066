import { useQuery } from '@tanstack/react-query'
import { Users } from 'lucide-react'
import { api } from '../api/api.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState, Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { inspectionText } from './inspection-text.ts'
import { connectionsQuery, type Tunnel } from './queries.ts'

type Connections = Awaited<ReturnType<typeof api.tunnelConnections>>

/** Who is connected at this moment. */
export function ConnectionsCard({ tunnel }: { tunnel: Tunnel }) {
  const t = useText(inspectionText)
  const query = useQuery(connectionsQuery(tunnel.id))
  return (
    <Card title={t.connections} description={t.connectionsHint} flush>
      <Loaded query={query}>
        {(data) => (
          <>
            {!data.complete && (
              <div className="px-5 pb-3">
                <Notice tone="warn">{t.incomplete}</Notice>
              </div>
            )}
            <Connections tunnel={tunnel} data={data} />
          </>
        )}
      </Loaded>
    </Card>
  )
}

function Connections({ tunnel, data: { connections, total } }: { tunnel: Tunnel; data: Connections }) {
  const t = useText(inspectionText)
  const format = useFormat()
  const mayCut = useMay('tunnels.disconnect')
  const cut = useAction({
    run: (connection: string) => api.cutTunnelConnection({ params: { tunnel: tunnel.id, connection } }),
    done: t.isCut,
    changes: [connectionsQuery(tunnel.id).queryKey],
  })
  const rate = (perSecond: number): string => t.perSecond(format.bytes(Math.round(perSecond)))
  if (connections.length === 0)
    return (
      <EmptyState icon={Users} title={t.nobody}>
        {t.nobodyHint}
      </EmptyState>
    )
  return (
    <>
      <Table
        caption={t.connections}
        rows={connections}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'from',
            title: t.from,
            className: 'wrap-anywhere',
            cell: ({ address, port }) => `${address} ${port}`,
          },
          { key: 'protocol', title: t.protocol, cell: ({ protocol }) => protocol },
          { key: 'since', title: t.since, cell: ({ since }) => <RelativeTime at={since} /> },
          {
            key: 'requests',
            title: t.requestCount,
            align: 'right',
            wideOnly: true,
            cell: ({ requests }) => (requests > 0 ? format.number(requests) : null),
          },
          {
            key: 'size',
            title: t.size,
            align: 'right',
            wideOnly: true,
            cell: ({ bytesIn, bytesOut }) => `${format.bytes(bytesIn)} / ${format.bytes(bytesOut)}`,
          },
          {
            key: 'rates',
            title: t.rates,
            align: 'right',
            cell: ({ rateIn, rateOut }) => `${rate(rateIn)} / ${rate(rateOut)}`,
          },
          {
            key: 'actions',
            title: t.actions,
            align: 'right',
            cell: ({ id, address, port }) => (
              <Button
                small
                kind="quiet"
                aria-label={`${t.cutOff}: ${address} ${port}`}
                unavailable={mayCut ? null : t.mayNot}
                onClick={() => cut.mutate(id)}
              >
                {t.cutOff}
              </Button>
            ),
          },
        ]}
      />
      {total > connections.length && (
        <p className="px-5 py-3 text-muted">{t.more(format.number(total - connections.length))}</p>
      )}
    </>
  )
}
