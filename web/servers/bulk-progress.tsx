import { useQueryClient } from '@tanstack/react-query'
import { Check, CircleAlert, LoaderCircle, Minus } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { PowerAction } from '../../src/contract/power.ts'
import { useText } from '../i18n/language.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Progress } from '../ui/progress.tsx'
import { type PowerOutcome, powerAll } from './bulk-power.ts'
import { type ServerListItem, serversQuery } from './queries.ts'
import { useRefusal } from './refusals.ts'
import { serversText } from './text.ts'

const marks = {
  waiting: [LoaderCircle, 'animate-spin text-muted'],
  done: [Check, 'text-good'],
  already: [Minus, 'text-muted'],
  refused: [CircleAlert, 'text-bad'],
  ruledOut: [CircleAlert, 'text-bad'],
} as const

/** Does it with one server after another, and says how it went with each. Closing it leaves the rest as it is. */
export function BulkProgress({
  action,
  servers,
  onClose,
}: {
  action: PowerAction
  servers: readonly ServerListItem[]
  onClose(): void
}) {
  const t = useText(serversText)
  const refusal = useRefusal()
  const queries = useQueryClient()
  const [outcomes, setOutcomes] = useState<Readonly<Record<string, PowerOutcome>>>({})
  useEffect(() => {
    const stop = new AbortController()
    void powerAll(servers, action, stop.signal, (id, outcome) =>
      setOutcomes((before) => ({ ...before, [id]: outcome })),
    ).then(() => queries.invalidateQueries({ queryKey: serversQuery.queryKey }))
    return () => stop.abort(new Error('the window was closed'))
  }, [servers, action, queries])
  const count = Object.keys(outcomes).length
  const refused = Object.values(outcomes).filter(({ state }) => state === 'refused' || state === 'ruledOut').length
  const text = t.bulkProgress(count, servers.length, refused)
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t.power[action]} description={text}>
      <div className="grid gap-4">
        <Progress value={count} max={servers.length} label={t.power[action]} text={text} />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <ul tabIndex={0} aria-label={t.selection} className="grid max-h-80 gap-2 overflow-y-auto">
          {servers.map(({ id, name }) => {
            const outcome: PowerOutcome = outcomes[id] ?? { state: 'waiting' }
            const [Icon, look] = marks[outcome.state]
            return (
              <li key={id} className="flex items-start gap-2.5">
                <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 ${look}`} />
                <span className="wrap-anywhere min-w-0">
                  {name}
                  <span className="block text-[13px] text-muted">
                    {outcome.state === 'refused'
                      ? outcome.reason
                      : outcome.state === 'ruledOut'
                        ? refusal(outcome.refusal)
                        : t.outcomes[outcome.state]}
                  </span>
                </span>
              </li>
            )
          })}
        </ul>
      </div>
    </Dialog>
  )
}
