import { useSuspenseQuery } from '@tanstack/react-query'
import { Globe, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Menu } from '../ui/menu.tsx'
import { DomainDetails } from './domain-details.tsx'
import { MoveDomain } from './move-domain.tsx'
import { NewDomain } from './new-domain.tsx'
import { domainsQuery, targetsQuery } from './queries.ts'
import { CertificateState, DomainState } from './state.tsx'
import { domainsText } from './text.ts'

/** Names of the workspace's own, and where they lead. */
export function DomainsPage() {
  const t = useText(domainsText)
  const { data } = useSuspenseQuery(domainsQuery)
  const { data: all } = useSuspenseQuery(targetsQuery)
  const may = useMay('domains.manage')
  const [open, setOpen] = useState<{ what: 'details' | 'move' | 'remove'; id: string } | 'new' | null>(null)
  const close = (): void => setOpen(null)
  const tunnels = all.tunnels.filter(({ kind }) => byName.has(kind))
  const chosen = open === null || open === 'new' ? undefined : data.domains.find(({ id }) => id === open.id)
  const remove = useAction({
    run: (domain: string) => api.deleteDomain({ params: { domain } }),
    done: t.removed,
    changes: [domainsQuery.queryKey],
    onDone: close,
  })
  const add = (
    <Button
      kind="primary"
      icon={Plus}
      unavailable={may ? (tunnels.length === 0 ? t.noTunnels : undefined) : t.mayNot}
      onClick={() => setOpen('new')}
    >
      {t.add}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={Globe}
      add={add}
      rows={data.domains}
      columns={[
        {
          key: 'name',
          title: t.name,
          className: 'wrap-anywhere',
          cell: ({ id, displayName, url }) => (
            <span className="min-w-0">
              <button
                type="button"
                className="text-left font-medium text-accent-text hover:underline"
                onClick={() => setOpen({ what: 'details', id })}
              >
                {displayName}
              </button>
              {url !== null && <span className="block text-muted text-xs">{url}</span>}
            </span>
          ),
        },
        { key: 'tunnel', title: t.tunnel, className: 'wrap-anywhere', cell: ({ tunnel }) => tunnel },
        { key: 'state', title: t.state, cell: (domain) => <DomainState domain={domain} /> },
        {
          key: 'certificate',
          title: t.certificate,
          cell: (domain) => <CertificateState domain={domain} />,
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          corner: true,
          cell: ({ id, displayName }) => (
            <Menu
              label={`${t.actions}: ${displayName}`}
              entries={[
                { label: t.details, onSelect: () => setOpen({ what: 'details', id }) },
                { label: t.move, disabled: !may, onSelect: () => setOpen({ what: 'move', id }) },
                'line',
                {
                  label: t.remove,
                  danger: true,
                  disabled: !may,
                  onSelect: () => setOpen({ what: 'remove', id }),
                },
              ]}
            />
          ),
        },
      ]}
    >
      {open === 'new' && (
        <NewDomain tunnels={tunnels} onClose={close} onMade={({ id }) => setOpen({ what: 'details', id })} />
      )}
      {chosen && open !== 'new' && open?.what === 'details' && (
        <DomainDetails domain={chosen} mayCheck={may} onClose={close} />
      )}
      {chosen && open !== 'new' && open?.what === 'move' && (
        <MoveDomain domain={chosen} tunnels={tunnels} onClose={close} />
      )}
      {chosen && open !== 'new' && open?.what === 'remove' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.removeTitle(chosen.displayName)}
          submit={t.remove}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(chosen.id)}
        >
          <p>{t.removeText}</p>
        </ConfirmDialog>
      )}
    </ListPage>
  )
}

/** Kinds whose visitors come by host name; a server's port may have one, too. */
const byName: ReadonlySet<string> = new Set(['http', 'tls', 'minecraft', 'allocation'])
