import { useSuspenseQuery } from '@tanstack/react-query'
import { Plus, Waypoints } from 'lucide-react'
import { useState } from 'react'
import { AdministratorsPage } from '../admin/administrators-page.tsx'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Menu } from '../ui/menu.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { CredentialDialog } from './credential-dialog.tsx'
import { NewForeignEdge } from './new-foreign-edge.tsx'
import { type Credential, type ForeignEdge, foreignEdgesQuery } from './queries.ts'
import { foreignEdgesText } from './text.ts'

/** Edges of others, whose control plane this panel is. */
export function ForeignEdgesPage() {
  const t = useText(foreignEdgesText)
  return (
    <AdministratorsPage title={t.title}>
      <ForeignEdges />
    </AdministratorsPage>
  )
}

type Open = { what: 'new' } | { what: 'renew' | 'remove'; edge: ForeignEdge } | null

function ForeignEdges() {
  const t = useText(foreignEdgesText)
  const { data } = useSuspenseQuery(foreignEdgesQuery)
  const [open, setOpen] = useState<Open>(null)
  const [made, setMade] = useState<{ name: string; credential: Credential } | null>(null)
  const close = (): void => setOpen(null)
  const changes = [foreignEdgesQuery.queryKey]
  const renew = useAction({
    run: ({ id }: ForeignEdge) => api.renewForeignEdge({ params: { edge: id } }),
    changes,
    onDone(credential, { name }) {
      close()
      setMade({ name, credential })
    },
  })
  const remove = useAction({
    run: ({ id }: ForeignEdge) => api.deleteForeignEdge({ params: { edge: id } }),
    done: t.removed,
    changes,
    onDone: close,
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setOpen({ what: 'new' })}>
      {t.add}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={Waypoints}
      add={add}
      rows={data.edges}
      columns={[
        {
          key: 'name',
          title: t.name,
          className: 'wrap-anywhere',
          cell: ({ name, address }) => (
            <span className="min-w-0">
              <span className="font-medium">{name}</span>
              {address !== null && <span className="block font-mono text-muted text-xs">{address}</span>}
            </span>
          ),
        },
        {
          key: 'base',
          title: t.base,
          className: 'wrap-anywhere',
          cell: ({ base }) => <code className="text-[13px]">{base}</code>,
        },
        {
          key: 'workspaces',
          title: t.workspaces,
          className: 'wrap-anywhere',
          wideOnly: true,
          cell: ({ workspaces }) => workspaces?.join(', ') ?? t.everybody,
        },
        {
          key: 'serves',
          title: t.serves,
          className: 'wrap-anywhere',
          cell: ({ serves }) =>
            serves.length > 0 ? serves.join(', ') : <span className="text-muted">{t.nobodyYet}</span>,
        },
        {
          key: 'seen',
          title: t.lastSeen,
          cell: ({ lastSeenAt }) =>
            lastSeenAt === null ? <Badge tone="plain">{t.neverSeen}</Badge> : <RelativeTime at={lastSeenAt} />,
        },
        { key: 'records', title: t.records, cell: (edge) => <Records edge={edge} /> },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          corner: true,
          cell: (edge) => (
            <Menu
              label={t.actionsFor(edge.name)}
              entries={[
                { label: t.renew, onSelect: () => setOpen({ what: 'renew', edge }) },
                'line',
                { label: t.remove, danger: true, onSelect: () => setOpen({ what: 'remove', edge }) },
              ]}
            />
          ),
        },
      ]}
    >
      {open?.what === 'new' && <NewForeignEdge onClose={close} onMade={setMade} />}
      {open?.what === 'renew' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.renewTitle(open.edge.name)}
          description={t.renewText}
          submit={t.renew}
          busy={renew.isPending}
          onSubmit={() => renew.mutate(open.edge)}
        />
      )}
      {open?.what === 'remove' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.removeTitle(open.edge.name)}
          description={t.removeText}
          submit={t.remove}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(open.edge)}
        />
      )}
      {made && <CredentialDialog {...made} onClose={() => setMade(null)} />}
    </ListPage>
  )
}

/** What it has reported, and what of it cannot be counted. */
function Records({ edge: { accepted, dropped, lastDropped } }: { edge: ForeignEdge }) {
  const t = useText(foreignEdgesText)
  const format = useFormat()
  return (
    <span className="min-w-0">
      {t.taken(format.number(accepted))}
      {dropped > 0 && (
        <span className="block text-warn text-xs">
          {t.setAside(format.number(dropped))}
          {lastDropped !== null && (
            <span className="wrap-anywhere block max-w-80 text-muted">
              {t.whySetAside} <bdi>{lastDropped}</bdi>
            </span>
          )}
        </span>
      )}
    </span>
  )
}
