import { useInfiniteQuery } from '@tanstack/react-query'
import { Inbox, Info, RotateCw } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { DeliveryDetails } from './delivery-details.tsx'
import { type Delivery, deliveriesQuery, type Webhook, webhooksQuery } from './queries.ts'
import { eventName, webhooksText } from './text.ts'

const tones = { pending: 'accent', delivered: 'good', failed: 'bad' } as const satisfies Record<Delivery['state'], Tone>

/** What was delivered, what waits and what failed. */
export function Deliveries({ webhook }: { webhook: Webhook }) {
  const t = useText(webhooksText)
  const query = useInfiniteQuery(deliveriesQuery(webhook.id))
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query
  return (
    <Card title={t.deliveries} description={t.deliveriesHint} flush>
      <Loaded query={query}>
        {({ pages }) => <List webhook={webhook} deliveries={pages.flatMap(({ deliveries }) => deliveries)} />}
      </Loaded>
      {hasNextPage && (
        <div className="flex justify-center p-4">
          <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t.older}
          </Button>
        </div>
      )}
    </Card>
  )
}

function List({ webhook, deliveries }: { webhook: Webhook; deliveries: readonly Delivery[] }) {
  const t = useText(webhooksText)
  const [shown, setShown] = useState<string | null>(null)
  // As it is now: it may have arrived since somebody asked.
  const looked = deliveries.find(({ id }) => id === shown)
  if (deliveries.length === 0)
    return (
      <EmptyState icon={Inbox} title={t.noDeliveries}>
        {t.noDeliveriesHint}
      </EmptyState>
    )
  return (
    <>
      <Table
        caption={t.deliveries}
        rows={deliveries}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'what',
            title: t.what,
            className: 'wrap-anywhere',
            cell: ({ event, content }) => (
              <span className="min-w-0">
                <span className="font-medium">{eventName(t, event)}</span>
                <span className="block text-muted text-xs">{sentence(content)}</span>
              </span>
            ),
          },
          { key: 'when', title: t.when, cell: ({ createdAt }) => <RelativeTime at={createdAt} /> },
          {
            key: 'state',
            title: t.state,
            cell: ({ state }) => <Badge tone={tones[state]}>{t.deliveryStates[state]}</Badge>,
          },
          {
            key: 'answer',
            title: t.answer,
            className: 'wrap-anywhere',
            cell: (delivery) => (delivery.attempts > 0 || delivery.lastAt ? <Answer delivery={delivery} /> : null),
          },
          {
            key: 'actions',
            title: t.actions,
            align: 'right',
            cell: (delivery) => <Acts webhook={webhook} delivery={delivery} onDetails={() => setShown(delivery.id)} />,
          },
        ]}
      />
      {looked && <DeliveryDetails delivery={looked} onClose={() => setShown(null)} />}
    </>
  )
}

function Answer({ delivery: { status, message, tookMs, attempts, state, nextAt } }: { delivery: Delivery }) {
  const t = useText(webhooksText)
  const format = useFormat()
  const more = [
    tookMs === null ? null : t.took(format.number(tookMs)),
    attempts > 1 ? t.tries(format.number(attempts)) : null,
    state === 'pending' && nextAt && new Date(nextAt).getTime() > Date.now() ? t.next(format.relative(nextAt)) : null,
  ].filter((part) => part !== null)
  return (
    <span className="min-w-0">
      {/* What went wrong names the number. */}
      {message ?? <code className="font-mono text-[13px]">{status}</code>}
      {more.length > 0 && <span className="block text-muted text-xs">{more.join(' · ')}</span>}
    </span>
  )
}

function Acts({ webhook, delivery, onDetails }: { webhook: Webhook; delivery: Delivery; onDetails(): void }) {
  const t = useText(webhooksText)
  const again = useAction({
    run: () => api.redeliver({ params: { webhook: webhook.id, delivery: delivery.id } }),
    done: t.redelivered,
    changes: [webhooksQuery.queryKey],
  })
  return (
    <span className="inline-flex items-center gap-1">
      <IconButton small icon={Info} label={t.details} onClick={onDetails} />
      <IconButton
        small
        icon={RotateCw}
        label={t.redeliver}
        busy={again.isPending}
        unavailable={webhook.enabled ? null : t.isOff}
        onClick={() => again.mutate()}
      />
    </span>
  )
}

/** The event in a sentence, as it is told. */
const sentence = (content: unknown): string =>
  typeof content === 'object' && content !== null && 'message' in content ? String(content.message) : ''
