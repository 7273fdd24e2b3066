import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { transfersQuery } from '../transfers/queries.ts'
import { ConfirmDialog, Dialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/state.tsx'
import { type Node, nodesQuery } from './queries.ts'
import { adminText } from './text.ts'

type Drained = Awaited<ReturnType<typeof api.drainNode>>

/** Moves all servers of a machine away, and says which of them cannot be moved. */
export function DrainNode({ node, onClose }: { node: Node; onClose(): void }) {
  const t = useText(adminText).nodes
  const format = useFormat()
  const [result, setResult] = useState<Drained | null>(null)
  const drain = useAction({
    run: () => api.drainNode({ params: { node: node.id } }),
    changes: [nodesQuery.queryKey, transfersQuery.queryKey],
    quiet: true,
    onDone: setResult,
  })
  if (!result)
    return (
      <ConfirmDialog
        open
        onOpenChange={onClose}
        title={t.drainTitle(node.name)}
        description={t.drainText}
        submit={t.drain}
        busy={drain.isPending}
        onSubmit={() => drain.mutate()}
      >
        {drain.error && <Notice tone="bad">{errorText(drain.error)}</Notice>}
      </ConfirmDialog>
    )
  const { transfers, refused } = result
  return (
    <Dialog open onOpenChange={onClose} title={t.isInMaintenance(node.name)}>
      <div className="grid gap-3">
        {transfers.length > 0 && <p>{t.drained(format.number(transfers.length))}</p>}
        {transfers.length + refused.length === 0 && <p>{t.drainedNone}</p>}
        {refused.length > 0 && (
          <Notice tone="warn">
            <p className="font-medium">{t.drainRefused}</p>
            <ul className="list-disc pl-5">
              {refused.map(({ server, name, reason }) => (
                <li key={server}>
                  {name}: {reason}
                </li>
              ))}
            </ul>
          </Notice>
        )}
      </div>
    </Dialog>
  )
}
