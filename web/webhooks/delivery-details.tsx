import type { ReactNode } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { CodeBlock } from '../ui/code-block.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import type { Delivery } from './queries.ts'
import { eventName, webhooksText } from './text.ts'

/** Everything that is known of one delivery. */
export function DeliveryDetails({ delivery, onClose }: { delivery: Delivery; onClose(): void }) {
  const t = useText(webhooksText)
  const format = useFormat()
  const { id, event, state, attempts, lastAt, status, message, tookMs, content } = delivery
  const answer = message ?? (status === null ? null : String(status))
  const facts: [label: string, value: ReactNode][] = [
    [t.id, <Copyable key="id" text={id} />],
    [t.state, t.deliveryStates[state]],
    [t.tried, format.number(attempts)],
    [t.lastTry, lastAt && format.time(lastAt)],
    [t.answer, answer && (tookMs === null ? answer : `${answer} (${t.took(format.number(tookMs))})`)],
  ]
  return (
    <Dialog open wide onOpenChange={onClose} title={eventName(t, event)}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-6 gap-y-2">
        {facts.map(
          ([label, value]) =>
            value && (
              <div key={label} className="contents">
                <dt className="text-muted">{label}</dt>
                <dd className="wrap-anywhere min-w-0">{value}</dd>
              </div>
            ),
        )}
      </dl>
      <h3 className="mt-4 mb-2 font-medium">{t.content}</h3>
      <CodeBlock text={JSON.stringify(content, null, 2)} />
    </Dialog>
  )
}
