import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus, Search, Server as ServerIcon } from 'lucide-react'
import { lazy, Suspense, useCallback, useDeferredValue, useMemo, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { buttonClass } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Select } from '../ui/select.tsx'
import { EmptyState, ErrorState, Loading } from '../ui/state.tsx'
import { Checkbox } from '../ui/switch.tsx'
import { type ServerListItem, serversQuery, shortId, templatesQuery } from './queries.ts'
import { ServerCard } from './server-card.tsx'
import { serversText } from './text.ts'
import { arrange, groupings, type ServerGroup, type ServersView, sortings, useServersView } from './view.ts'

/** Loaded when somebody selects: most who come here do not. */
const BulkBar = lazy(() => import('./bulk-bar.tsx').then(({ BulkBar: component }) => ({ default: component })))

/** Every server at a glance; the figures move by themselves. */
export function ServersPage() {
  const t = useText(serversText)
  const mayCreate = useMay('servers.create')
  const { data: servers, error, refetch } = useQuery(serversQuery)
  const create = mayCreate && (
    <Link to="/servers/new" className={buttonClass('primary')}>
      <Plus aria-hidden className="size-4" />
      {t.create}
    </Link>
  )
  return (
    <Page title={t.title} tabTitle={t.title} actions={servers && servers.length > 0 && create}>
      {servers && servers.length > 0 ? (
        <Servers servers={servers} />
      ) : servers ? (
        <Card>
          <EmptyState icon={ServerIcon} title={t.none} actions={create}>
            {t.noneHint}
          </EmptyState>
        </Card>
      ) : error ? (
        <ErrorState title={errorText(error)} onRetry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  )
}

function Servers({ servers }: { servers: readonly ServerListItem[] }) {
  const t = useText(serversText)
  const { data: templates } = useQuery(templatesQuery)
  const kindOf = (id: string): string => templates?.find((each) => each.id === id)?.name ?? id
  const [view, changeView] = useServersView()
  const [wanted, setWanted] = useState('')
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const search = useDeferredValue(wanted.trim().toLowerCase())
  const { sorting, grouping, folders } = view
  const shown = useMemo(() => servers.filter((server) => matches(server, folders, search)), [servers, folders, search])
  const groups = useMemo(() => arrange(shown, { sorting, grouping, folders }), [shown, sorting, grouping, folders])
  const select = useCallback((id: string, on: boolean) => {
    setSelected((before) => {
      const next = new Set(before)
      if (on) next.add(id)
      else next.delete(id)
      return next
    })
  }, [])
  const chosen = shown.filter(({ id }) => selected.has(shortId(id)))
  const titleOf = ({ name }: ServerGroup): string | null =>
    name === null
      ? grouping === 'folder'
        ? t.inNoFolder
        : null
      : grouping === 'status'
        ? t.statuses[name as ServerListItem['status']]
        : grouping === 'template'
          ? kindOf(name)
          : name
  return (
    <>
      <div className="mb-4 grid gap-3 sm:flex sm:flex-wrap sm:items-center">
        <div className="relative sm:w-72">
          <Search aria-hidden className="absolute top-2.5 left-3 size-4 text-muted" />
          <Input
            type="search"
            aria-label={t.search}
            placeholder={t.search}
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
            className="pl-9"
          />
        </div>
        <div className="grid grid-cols-2 gap-3 sm:flex">
          <Select
            label={t.sort}
            value={sorting}
            choices={sortings.map((value) => ({ value, label: t.sortings[value] }))}
            onChange={(next) => changeView({ sorting: next })}
          />
          <Select
            label={t.group}
            value={grouping}
            choices={groupings.map((value) => ({ value, label: t.groupings[value] }))}
            onChange={(next) => changeView({ grouping: next })}
          />
        </div>
        <div className="flex items-center gap-4 sm:ml-auto">
          <span className="whitespace-nowrap text-muted" role="status">
            {t.count(shown.length)}
          </span>
          <Checkbox
            label={t.selectAll}
            checked={chosen.length === 0 ? false : chosen.length === shown.length ? true : 'indeterminate'}
            onChange={(on) => setSelected(new Set(on ? shown.map(({ id }) => shortId(id)) : []))}
          />
        </div>
      </div>
      {shown.length === 0 && <p className="text-muted">{t.noMatch(wanted)}</p>}
      <div className="grid gap-6">
        {shown.length > 0 &&
          groups.map((group) => {
            const title = titleOf(group)
            return (
              <section key={group.name ?? ''} className="min-w-0">
                {title !== null && (
                  <h2 className="mb-2 flex items-baseline gap-2 font-semibold">
                    <span className="wrap-anywhere">{title}</span>
                    <span className="font-normal text-muted text-xs">{t.count(group.servers.length)}</span>
                  </h2>
                )}
                <ul className="grid grid-cols-1 gap-3 sm:grid-cols-2 xl:grid-cols-3">
                  {group.servers.map((server) => (
                    <ServerCard
                      key={server.id}
                      server={server}
                      kind={kindOf(server.template)}
                      selected={selected.has(shortId(server.id))}
                      onSelect={select}
                    />
                  ))}
                </ul>
              </section>
            )
          })}
      </div>
      {chosen.length > 0 && (
        <Suspense fallback={null}>
          <BulkBar
            servers={chosen}
            folders={[...new Set(Object.values(folders))].sort()}
            onFolder={(folder) => {
              changeView({ grouping: 'folder', folders: moved(folders, chosen, folder) })
              setSelected(new Set())
            }}
            onClear={() => setSelected(new Set())}
          />
        </Suspense>
      )}
    </>
  )
}

function matches(server: ServerListItem, folders: ServersView['folders'], search: string): boolean {
  const { name, address, template, id, status } = server
  return (
    search === '' ||
    [name, address ?? '', template, id, status, folders[shortId(id)] ?? ''].some((text) =>
      text.toLowerCase().includes(search),
    )
  )
}

function moved(
  folders: ServersView['folders'],
  servers: readonly ServerListItem[],
  folder: string | null,
): ServersView['folders'] {
  const next = { ...folders }
  for (const { id } of servers)
    if (folder === null) delete next[shortId(id)]
    else next[shortId(id)] = folder
  return next
}
