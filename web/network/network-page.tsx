import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { portRules } from '../../src/contract/power.ts'
import { api } from '../api/api.ts'
import { fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { serverQuery } from '../servers/queries.ts'
import { useRefusal } from '../servers/refusals.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Menu } from '../ui/menu.tsx'
import { Table } from '../ui/table.tsx'
import { networkText } from './text.ts'

type Allocation = Awaited<ReturnType<typeof api.allocations>>['allocations'][number]

const allocationsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'allocations'],
    queryFn: ({ signal }) => api.allocations({ params: { serverId } }, { signal }),
  })
const addressOf = ({ ip, port }: Allocation): string => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`

export function NetworkPage() {
  const t = useText(networkText)
  const { serverId, server, may } = useServer()
  const { data } = useSuspenseQuery(allocationsQuery(serverId))
  const refusal = useRefusal()
  const [noting, setNoting] = useState<Allocation | null>(null)
  const [removing, setRemoving] = useState<Allocation | null>(null)
  const changes = [allocationsQuery(serverId).queryKey, serverQuery(serverId).queryKey]
  const add = useAction({
    run: () => api.createAllocation({ params: { serverId } }),
    done: ({ allocation }) => t.added(addressOf(allocation)),
    changes,
  })
  const makePrimary = useAction({
    run: (allocation: string) => api.makePrimary({ params: { serverId, allocation } }),
    done: t.madePrimary,
    changes,
  })
  const exchange = useAction({
    run: (allocation: string) => api.changePort({ params: { serverId, allocation } }),
    done: ({ allocation }) => t.changed(String(allocation.local)),
    changes,
  })
  const remove = useAction({
    run: (allocation: string) => api.deleteAllocation({ params: { serverId, allocation } }),
    done: t.removed,
    changes,
    onDone: () => setRemoving(null),
  })
  const mayUpdate = may('network.update')
  const whyNotUpdate = mayUpdate ? null : t.mayNot
  const whyNotTake = refusal(portRules[server.status])
  return (
    <>
      <Card
        title={t.title}
        description={t.hint}
        flush
        actions={
          <Button
            icon={Plus}
            kind="primary"
            busy={add.isPending}
            unavailable={may('network.create') ? null : t.mayNot}
            onClick={() => add.mutate()}
          >
            {t.add}
          </Button>
        }
      >
        <Table
          caption={t.title}
          rows={data.allocations}
          rowKey={({ id }) => id}
          columns={[
            {
              key: 'address',
              title: t.address,
              cell: (allocation) => (
                <span className="inline-flex min-w-0 flex-wrap items-center gap-2">
                  <Copyable text={addressOf(allocation)} />
                  {allocation.primary && <Badge tone="accent">{t.primary}</Badge>}
                </span>
              ),
            },
            { key: 'notes', title: t.notes, className: 'wrap-anywhere text-muted', cell: ({ notes }) => notes },
            { key: 'local', title: t.local, wideOnly: true, cell: ({ local }) => <code>{String(local)}</code> },
            {
              key: 'actions',
              title: t.actions,
              align: 'right',
              corner: true,
              cell: (allocation) => (
                <Menu
                  label={`${t.actions}: ${addressOf(allocation)}`}
                  entries={[
                    {
                      label: t.makePrimary,
                      hint: whyNotUpdate,
                      disabled: !mayUpdate || allocation.primary,
                      onSelect: () => makePrimary.mutate(allocation.id),
                    },
                    {
                      label: t.editNotes,
                      hint: whyNotUpdate,
                      disabled: !mayUpdate,
                      onSelect: () => setNoting(allocation),
                    },
                    {
                      label: t.changePort,
                      hint: whyNotUpdate ?? whyNotTake ?? t.changeHint,
                      disabled: !mayUpdate || whyNotTake !== null,
                      onSelect: () => exchange.mutate(allocation.id),
                    },
                    'line',
                    {
                      label: t.remove,
                      hint: !may('network.delete') ? t.mayNot : allocation.primary ? t.isPrimary : whyNotTake,
                      danger: true,
                      disabled: !may('network.delete') || allocation.primary || whyNotTake !== null,
                      onSelect: () => setRemoving(allocation),
                    },
                  ]}
                />
              ),
            },
          ]}
        />
      </Card>
      {noting && <Notes key={noting.id} serverId={serverId} allocation={noting} onClose={() => setNoting(null)} />}
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t.removeTitle(removing ? addressOf(removing) : '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => removing && remove.mutate(removing.id)}
      />
    </>
  )
}

const notesLengthMax = 255

function Notes({ serverId, allocation, onClose }: { serverId: string; allocation: Allocation; onClose(): void }) {
  const t = useText(networkText)
  const [notes, setNotes] = useState(allocation.notes ?? '')
  const save = useAction({
    run: () => api.updateAllocation({ params: { serverId, allocation: allocation.id }, body: { notes } }),
    changes: [allocationsQuery(serverId).queryKey],
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.editNotes}
      submit={t.save}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.notes} hint={t.notesHint} error={fieldError(save.error, 'notes')}>
        <Input autoFocus maxLength={notesLengthMax} value={notes} onChange={(event) => setNotes(event.target.value)} />
      </Field>
    </FormDialog>
  )
}
