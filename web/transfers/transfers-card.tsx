import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { nodesQuery } from '../admin/queries.ts'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { shortId } from '../servers/queries.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Table } from '../ui/table.tsx'
import { isCancellable, type Transfer, transfersQuery } from './queries.ts'
import { transfersText } from './text.ts'
import { TransferProgress } from './transfer-progress.tsx'

/** Every server that is on its way to another machine; nothing where there is none. */
export function TransfersCard() {
  const t = useText(transfersText)
  const { data: transfers = [] } = useQuery(transfersQuery)
  const cancel = useAction({
    run: ({ server }: Transfer) => api.cancelTransfer({ params: { serverId: shortId(server.id) } }),
    done: ({ message }) => message,
    changes: [transfersQuery.queryKey, nodesQuery.queryKey],
  })
  if (transfers.length === 0) return null
  return (
    <Card flush title={t.under}>
      <Table
        caption={t.under}
        rows={transfers}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'server',
            title: t.server,
            className: 'wrap-anywhere',
            cell: ({ server }) => (
              <Link
                to="/servers/$serverId/console"
                params={{ serverId: shortId(server.id) }}
                className="font-medium hover:underline"
              >
                {server.name}
              </Link>
            ),
          },
          { key: 'from', title: t.from, cell: ({ from }) => from.name },
          { key: 'to', title: t.to, cell: ({ to }) => to.name },
          { key: 'state', title: t.state, cell: (transfer) => <TransferProgress transfer={transfer} /> },
          {
            key: 'actions',
            title: t.actions,
            align: 'right',
            cell: (transfer) => (
              <Button
                small
                aria-label={t.cancelOf(transfer.server.name)}
                busy={cancel.isPending && cancel.variables.id === transfer.id}
                unavailable={isCancellable(transfer.stage) ? null : t.tooLate}
                onClick={() => cancel.mutate(transfer)}
              >
                {t.cancel}
              </Button>
            ),
          },
        ]}
      />
    </Card>
  )
}
