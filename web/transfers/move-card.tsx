import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { nodesQuery } from '../admin/queries.ts'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { serverQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { hasEnded, isCancellable, type Transfer, transferQuery } from './queries.ts'
import { transfersText } from './text.ts'

/** No id of a node: the panel chooses. */
const best = ''

/** Moves a server to another machine; for administrators. */
export function MoveCard() {
  const t = useText(transfersText)
  const { serverId, server } = useServer()
  const { data: transfer } = useQuery(transferQuery(serverId))
  const { data: nodes } = useQuery(nodesQuery)
  const [target, setTarget] = useState(best)
  const [asking, setAsking] = useState(false)
  const changes = [transferQuery(serverId).queryKey, serverQuery(serverId).queryKey]
  const move = useAction({
    run: () => api.transferServer({ params: { serverId }, body: target === best ? {} : { node: target } }),
    done: ({ to }) => t.begun(to.name),
    changes,
    quiet: true,
    onDone: () => setAsking(false),
  })
  const cancel = useAction({
    run: () => api.cancelTransfer({ params: { serverId } }),
    done: ({ message }) => message,
    changes,
  })
  const others = (nodes?.nodes ?? []).filter(({ id }) => id !== server.node.id)
  const choices = others.map(({ id, name, online, maintenance }) => {
    const why = !online ? t.away : maintenance ? t.inMaintenance : null
    return { value: id, label: why ? `${name} (${why})` : name, disabled: why !== null }
  })
  const moving = transfer && !hasEnded(transfer.stage) ? transfer : null
  return (
    <Card title={t.title} description={t.hint}>
      <div className="grid gap-4">
        {transfer && !moving && <Outcome transfer={transfer} />}
        {moving ? (
          <div className="flex flex-wrap items-center justify-between gap-3">
            <p className="min-w-0 flex-1">{t.moving(moving.from.name, moving.to.name)}</p>
            <Button
              busy={cancel.isPending}
              unavailable={isCancellable(moving.stage) ? null : t.tooLate}
              onClick={() => cancel.mutate()}
            >
              {t.cancel}
            </Button>
          </div>
        ) : (
          <>
            <Field label={t.target}>
              <Select
                value={target}
                disabled={others.length === 0}
                choices={[{ value: best, label: t.best }, ...choices]}
                onChange={setTarget}
              />
            </Field>
            <div>
              <Button unavailable={others.length === 0 ? t.noOther : null} onClick={() => setAsking(true)}>
                {t.move}
              </Button>
            </div>
          </>
        )}
      </div>
      <FormDialog
        open={asking}
        onOpenChange={setAsking}
        title={t.moveTitle(server.name)}
        description={t.hint}
        submit={t.move}
        busy={move.isPending}
        onSubmit={() => move.mutate()}
      >
        {move.error && <Notice tone="bad">{errorText(move.error)}</Notice>}
      </FormDialog>
    </Card>
  )
}

function Outcome({ transfer: { stage, to, message } }: { transfer: Transfer }) {
  const t = useText(transfersText)
  if (stage === 'done') return <p className="text-muted">{t.moved(to.name)}</p>
  return (
    <Notice tone={stage === 'failed' ? 'bad' : 'info'}>
      <p>{stage === 'failed' ? t.failed(to.name) : t.cancelled(to.name)}</p>
      {stage === 'failed' && message && <p>{message}</p>}
    </Notice>
  )
}
