import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { HardDrive, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState, Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { adminText } from './text.ts'

type Node = Awaited<ReturnType<typeof api.nodes>>['nodes'][number]

const nodesQuery = queryOptions({
  queryKey: ['nodes'],
  queryFn: ({ signal }) => api.nodes({}, { signal }),
  refetchInterval: 10_000,
})

export function NodesPage() {
  const t = useText(adminText).nodes
  const format = useFormat()
  const { data } = useSuspenseQuery(nodesQuery)
  const [adding, setAdding] = useState(false)
  const [command, setCommand] = useState<string | null>(null)
  const [removing, setRemoving] = useState<Node | null>(null)
  const remove = useAction({
    run: (node: string) => api.deleteNode({ params: { node } }),
    done: t.removed,
    changes: [nodesQuery.queryKey],
    onDone: () => setRemoving(null),
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setAdding(true)}>
      {t.add}
    </Button>
  )
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint} actions={data.nodes.length > 0 && add}>
      <Card flush>
        {data.nodes.length === 0 ? (
          <EmptyState icon={HardDrive} title={t.none} actions={add}>
            {t.noneHint}
          </EmptyState>
        ) : (
          <Table
            caption={t.title}
            rows={data.nodes}
            rowKey={({ id }) => id}
            columns={[
              {
                key: 'name',
                title: t.name,
                className: 'wrap-anywhere',
                cell: ({ name, hostname }) => (
                  <span>
                    <span className="font-medium">{name}</span>
                    {hostname && <span className="block text-muted text-xs">{hostname}</span>}
                  </span>
                ),
              },
              {
                key: 'state',
                title: t.state,
                cell: ({ online, lastSeen }) => (
                  <span className="inline-flex flex-wrap items-center gap-2">
                    <Badge tone={online ? 'good' : 'warn'} dot>
                      {online ? t.online : t.away}
                    </Badge>
                    {!online && (
                      <span className="text-muted text-xs">
                        {lastSeen ? <RelativeTime at={lastSeen} /> : t.neverSeen}
                      </span>
                    )}
                  </span>
                ),
              },
              {
                key: 'machine',
                title: t.machine,
                wideOnly: true,
                cell: ({ cpuCores, memoryBytes, diskFreeBytes }) =>
                  cpuCores !== null &&
                  memoryBytes !== null && (
                    <span className="text-muted text-xs">
                      {t.cores(format.number(cpuCores, 1))} · {t.memory(format.bytes(memoryBytes))}
                      {diskFreeBytes !== null && ` · ${t.free(format.bytes(diskFreeBytes))}`}
                    </span>
                  ),
              },
              { key: 'servers', title: t.servers, align: 'right', cell: ({ servers }) => format.number(servers) },
              {
                key: 'ports',
                title: t.ports,
                wideOnly: true,
                cell: ({ ports, publicAddress }) => (
                  <code className="text-[13px]">
                    {publicAddress ? `${publicAddress}:` : ''}
                    {ports.first}–{ports.last}
                  </code>
                ),
              },
              { key: 'version', title: t.version, wideOnly: true, cell: ({ version }) => version },
              {
                key: 'actions',
                title: t.actions,
                align: 'right',
                cell: (node) => (
                  <Button small kind="quiet" onClick={() => setRemoving(node)}>
                    {t.remove}
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Card>
      {adding && <AddNode onClose={() => setAdding(false)} onAdded={setCommand} />}
      <Dialog
        open={command !== null}
        onOpenChange={() => setCommand(null)}
        title={t.joinTitle}
        description={t.joinHint}
        wide
      >
        <CommandBlock text={command ?? ''} />
      </Dialog>
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t.removeTitle(removing?.name ?? '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => removing && remove.mutate(removing.id)}
      />
    </Page>
  )
}

function AddNode({ onClose, onAdded }: { onClose(): void; onAdded(command: string): void }) {
  const t = useText(adminText).nodes
  const [name, setName] = useState('')
  const [address, setAddress] = useState('')
  const add = useAction({
    run: () => api.createNode({ body: { name, ...(address.trim() === '' ? {} : { publicAddress: address.trim() }) } }),
    changes: [nodesQuery.queryKey],
    quiet: true,
    onDone({ command }) {
      onClose()
      onAdded(command)
    },
  })
  const wrong = fieldError(add.error, 'name') ?? fieldError(add.error, 'publicAddress')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.add}
      submit={t.add}
      busy={add.isPending}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.name} error={fieldError(add.error, 'name')}>
        <Input autoFocus required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.address} hint={t.addressHint} error={fieldError(add.error, 'publicAddress')}>
        <Input maxLength={253} value={address} onChange={(event) => setAddress(event.target.value)} />
      </Field>
      {add.error && !wrong && <Notice tone="bad">{errorText(add.error)}</Notice>}
    </FormDialog>
  )
}
