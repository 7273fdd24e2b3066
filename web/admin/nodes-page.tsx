import { useSuspenseQuery } from '@tanstack/react-query'
import { ArrowRightLeft, HardDrive, Info, Pencil, Play, Plus, Trash2, Wrench } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { TransfersCard } from '../transfers/transfers-card.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog } from '../ui/dialog.tsx'
import { Menu } from '../ui/menu.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { AddNode } from './add-node.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { ChangeNode } from './change-node.tsx'
import { DrainNode } from './drain-node.tsx'
import { NodeDetails } from './node-details.tsx'
import { type Node, nodesQuery } from './queries.ts'
import { adminText } from './text.ts'

/** The API counts promises in MiB. */
const MiB = 1024 * 1024

export function NodesPage() {
  const t = useText(adminText).nodes
  return (
    <AdministratorsPage title={t.title}>
      <Nodes />
    </AdministratorsPage>
  )
}

type Doing = { what: 'details' | 'change' | 'drain' | 'remove'; node: Node }

function Nodes() {
  const t = useText(adminText).nodes
  const format = useFormat()
  const { data } = useSuspenseQuery(nodesQuery)
  const [adding, setAdding] = useState(false)
  const [command, setCommand] = useState<string | null>(null)
  const [doing, setDoing] = useState<Doing | null>(null)
  const close = (): void => setDoing(null)
  const remove = useAction({
    run: (node: string) => api.deleteNode({ params: { node } }),
    done: t.removed,
    changes: [nodesQuery.queryKey],
    onDone: close,
  })
  const maintain = useAction({
    run: ({ id, maintenance }: Node) => api.updateNode({ params: { node: id }, body: { maintenance: !maintenance } }),
    done: ({ name, maintenance }) => (maintenance ? t.isInMaintenance(name) : t.isBack(name)),
    changes: [nodesQuery.queryKey],
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setAdding(true)}>
      {t.add}
    </Button>
  )
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint} actions={data.nodes.length > 0 && add}>
      <div className="grid gap-5">
        <TransfersCard />
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
                  cell: ({ name, hostname, labels }) => (
                    <span>
                      <span className="font-medium">{name}</span>
                      {hostname && <span className="block text-muted text-xs">{hostname}</span>}
                      <NodeLabels labels={labels} />
                    </span>
                  ),
                },
                {
                  key: 'state',
                  title: t.state,
                  cell: ({ online, lastSeen, maintenance, tooOldFor }) => (
                    <span className="inline-flex flex-wrap items-center gap-2">
                      <Badge tone={online ? 'good' : 'warn'} dot>
                        {online ? t.online : t.away}
                      </Badge>
                      {!online && (
                        <span className="text-muted text-xs">
                          {lastSeen ? <RelativeTime at={lastSeen} /> : t.neverSeen}
                        </span>
                      )}
                      {maintenance && <Badge tone="warn">{t.maintenance}</Badge>}
                      {tooOldFor.length > 0 && (
                        <span className="text-warn text-xs">{t.tooOld(format.list(tooOldFor))}</span>
                      )}
                    </span>
                  ),
                },
                {
                  key: 'machine',
                  title: t.machine,
                  wideOnly: true,
                  cell: (node) => <Machine node={node} />,
                },
                { key: 'servers', title: t.servers, align: 'right', cell: ({ servers }) => format.number(servers) },
                {
                  key: 'ports',
                  title: t.ports,
                  wideOnly: true,
                  cell: ({ ports, publicAddress }) => (
                    <code className="whitespace-nowrap text-[13px]">
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
                  corner: true,
                  cell: (node) => {
                    const open = (what: Doing['what']) => () => setDoing({ what, node })
                    return (
                      <Menu
                        label={t.moreFor(node.name)}
                        entries={[
                          { label: t.details, icon: Info, onSelect: open('details') },
                          { label: t.change, icon: Pencil, onSelect: open('change') },
                          node.maintenance
                            ? { label: t.maintenanceOff, icon: Play, onSelect: () => maintain.mutate(node) }
                            : {
                                ...{ label: t.maintenanceOn, hint: t.maintenanceOnHint, icon: Wrench },
                                onSelect: () => maintain.mutate(node),
                              },
                          { label: t.drain, icon: ArrowRightLeft, onSelect: open('drain') },
                          'line',
                          { label: t.remove, icon: Trash2, danger: true, onSelect: open('remove') },
                        ]}
                      />
                    )
                  },
                },
              ]}
            />
          )}
        </Card>
      </div>
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
      {doing?.what === 'details' && <NodeDetails node={doing.node} onClose={close} />}
      {doing?.what === 'change' && <ChangeNode node={doing.node} onClose={close} />}
      {doing?.what === 'drain' && <DrainNode node={doing.node} onClose={close} />}
      {doing?.what === 'remove' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.removeTitle(doing.node.name)}
          description={t.removeText}
          submit={t.remove}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(doing.node.id)}
        />
      )}
    </Page>
  )
}

function NodeLabels({ labels }: { labels: Node['labels'] }) {
  const all = Object.entries(labels)
  if (all.length === 0) return null
  return (
    <span className="mt-1 flex flex-wrap gap-1">
      {all.map(([label, value]) => (
        <Badge key={label}>{`${label}=${value}`}</Badge>
      ))}
    </span>
  )
}

/** What it has, how much of it is promised, and in what its servers run. */
function Machine({
  node: { cpuCores, memoryBytes, diskFreeBytes, capabilities, allocated, capacity },
}: {
  node: Node
}) {
  const t = useText(adminText).nodes
  const format = useFormat()
  if (cpuCores === null || memoryBytes === null) return null
  return (
    <span className="block text-muted text-xs">
      {t.cores(format.number(cpuCores, 1))} · {t.memory(format.bytes(memoryBytes))}
      {diskFreeBytes !== null && ` · ${t.free(format.bytes(diskFreeBytes))}`}
      {capacity && (
        <span className="block">
          {t.promised}:{' '}
          {t.promisedMemory(t.promisedOf(format.bytes(allocated.memory * MiB), format.bytes(capacity.memory * MiB)))}
        </span>
      )}
      {capabilities?.containers && <span className="block">{capabilities.containers.engine}</span>}
    </span>
  )
}
