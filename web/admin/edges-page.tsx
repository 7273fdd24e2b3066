import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { Plus, RadioTower } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Notice } from '../ui/state.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { adminText } from './text.ts'

type Edge = Awaited<ReturnType<typeof api.edges>>['edges'][number]
type NewEdge = Awaited<ReturnType<typeof api.createEdge>>

const edgesQuery = queryOptions({
  queryKey: ['edges'],
  queryFn: ({ signal }) => api.edges({}, { signal }),
  refetchInterval: 10_000,
})

export function EdgesPage() {
  const t = useText(adminText).edges
  return (
    <AdministratorsPage title={t.title}>
      <Edges />
    </AdministratorsPage>
  )
}

function Edges() {
  const t = useText(adminText).edges
  const { data } = useSuspenseQuery(edgesQuery)
  const [adding, setAdding] = useState(false)
  const [made, setMade] = useState<NewEdge | null>(null)
  const [removing, setRemoving] = useState<Edge | null>(null)
  const remove = useAction({
    run: (edge: string) => api.deleteEdge({ params: { edge } }),
    done: t.removed,
    changes: [edgesQuery.queryKey],
    onDone: () => setRemoving(null),
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setAdding(true)}>
      {t.add}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={RadioTower}
      add={add}
      rows={data.edges}
      columns={[
        {
          key: 'address',
          title: t.address,
          className: 'font-medium',
          cell: ({ host, port }) => <code className="text-[13px]">{`${host}:${port}`}</code>,
        },
        {
          key: 'state',
          title: t.state,
          cell: ({ online }) => (
            <Badge tone={online ? 'good' : 'warn'} dot>
              {online ? t.online : t.away}
            </Badge>
          ),
        },
        { key: 'base', title: t.base, cell: ({ base }) => <code className="text-[13px]">{base}</code> },
        { key: 'region', title: t.region, wideOnly: true, cell: ({ region }) => region },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (edge) => (
            <Button
              small
              kind="quiet"
              aria-label={`${t.remove}: ${edge.host}:${edge.port}`}
              onClick={() => setRemoving(edge)}
            >
              {t.remove}
            </Button>
          ),
        },
      ]}
    >
      {adding && <AddEdge onClose={() => setAdding(false)} onAdded={setMade} />}
      <Dialog open={made !== null} onOpenChange={() => setMade(null)} title={t.madeTitle} description={t.madeHint} wide>
        <div className="grid gap-4">
          <CommandBlock text={made?.credential ?? ''} />
          <CommandBlock
            text={`npx pharos edge --edge-panels '${location.hostname}:${made?.panel.port ?? ''}#${made?.panel.pin ?? ''}' --edge-credential-file ./edge-credential`}
          />
        </div>
      </Dialog>
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t.removeTitle(removing ? `${removing.host}:${removing.port}` : '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => removing && remove.mutate(removing.id)}
      />
    </ListPage>
  )
}

function AddEdge({ onClose, onAdded }: { onClose(): void; onAdded(edge: NewEdge): void }) {
  const t = useText(adminText).edges
  const [name, setName] = useState('')
  const add = useAction({
    run: () => api.createEdge({ body: { name } }),
    changes: [edgesQuery.queryKey],
    quiet: true,
    onDone(edge) {
      onClose()
      onAdded(edge)
    },
  })
  const wrong = fieldError(add.error, 'name')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      submit={t.add}
      busy={add.isPending}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.name} error={wrong}>
        <Input autoFocus required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      {add.error && !wrong && <Notice tone="bad">{errorText(add.error)}</Notice>}
    </FormDialog>
  )
}
