import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus, Search, Server as ServerIcon } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { buttonClass } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Input } from '../ui/field.tsx'
import { Meter } from '../ui/meter.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState, ErrorState, Loading } from '../ui/state.tsx'
import { type ServerListItem, serversQuery, shortId, type Usage, usageKey } from './queries.ts'
import { StatusBadge } from './status-badge.tsx'
import { serversText } from './text.ts'

const MiB = 1024 * 1024

/** Every server at a glance; the figures move by themselves. */
export function ServersPage() {
  const t = useText(serversText)
  const mayCreate = useMay('servers.create')
  const { data: servers, error, refetch } = useQuery(serversQuery)
  const [wanted, setWanted] = useState('')
  const search = useDeferredValue(wanted.trim().toLowerCase())
  const shown = servers?.filter((server) => matches(server, search))
  const create = mayCreate && (
    <Link to="/servers/new" className={buttonClass('primary')}>
      <Plus aria-hidden className="size-4" />
      {t.create}
    </Link>
  )
  return (
    <Page title={t.title} tabTitle={t.title} actions={servers && servers.length > 0 && create}>
      {!servers ? (
        error ? (
          <ErrorState title={errorText(error)} onRetry={() => void refetch()} />
        ) : (
          <Loading />
        )
      ) : servers.length === 0 ? (
        <Card>
          <EmptyState icon={ServerIcon} title={t.none} actions={create}>
            {t.noneHint}
          </EmptyState>
        </Card>
      ) : (
        <>
          <div className="mb-4 flex items-center gap-3">
            <div className="relative w-full max-w-xs">
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
            <span className="whitespace-nowrap text-muted" role="status">
              {t.count(shown?.length ?? 0)}
            </span>
          </div>
          {shown?.length === 0 ? (
            <p className="text-muted">{t.noMatch(wanted)}</p>
          ) : (
            <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
              {shown?.map((server) => (
                <ServerCard key={server.id} server={server} />
              ))}
            </ul>
          )}
        </>
      )}
    </Page>
  )
}

function matches({ name, address, template, id, status }: ServerListItem, search: string): boolean {
  return (
    search === '' || [name, address ?? '', template, id, status].some((text) => text.toLowerCase().includes(search))
  )
}

function ServerCard({ server }: { server: ServerListItem }) {
  const t = useText(serversText)
  const format = useFormat()
  const id = shortId(server.id)
  // Nothing to ask: the live connection brings it.
  const { data: usage } = useQuery<Usage>({ queryKey: usageKey(id), enabled: false })
  const busy = server.status === 'running' || server.status === 'starting' || server.status === 'stopping'
  const memory = busy ? (usage?.memoryBytes ?? 0) : 0
  const cpu = busy ? (usage?.cpuCores ?? 0) : 0
  const disk = usage?.diskBytes ?? 0
  const memoryText = t.of(format.bytes(memory), format.bytes(server.memory * MiB))
  const cpuText = t.of(format.number(cpu, 2), t.cores(format.number(server.cpu, 2)))
  const diskText = t.of(format.bytes(disk), format.bytes(server.disk * MiB))
  return (
    <li className="relative grid content-start gap-4 rounded-xl border border-line bg-surface p-4 transition hover:border-line-strong">
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <Link
            to="/servers/$serverId"
            params={{ serverId: id }}
            // The whole card leads there; what else can be clicked lies above it.
            className="block truncate font-semibold after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent"
          >
            {server.name}
          </Link>
          <span className="block truncate text-muted text-xs">{server.template}</span>
        </div>
        <StatusBadge status={server.status} />
      </div>
      <div className="flex min-h-8 items-center gap-1 text-muted">
        <code className="min-w-0 truncate font-mono text-[13px]">{server.address ?? t.noAddress}</code>
        {server.address && (
          <span className="relative z-10">
            <CopyButton text={server.address} label={t.copyAddress} />
          </span>
        )}
      </div>
      <dl className="grid grid-cols-3 gap-3 text-xs">
        {(
          [
            [t.cpu, format.percent(server.cpu > 0 ? cpu / server.cpu : 0), cpu, server.cpu, cpuText],
            [t.memory, format.bytes(memory), memory, server.memory * MiB, memoryText],
            [t.disk, format.bytes(disk), disk, server.disk * MiB, diskText],
          ] as const
        ).map(([label, short, value, max, text]) => (
          <div key={label} className="min-w-0" title={`${label}: ${text}`}>
            <dt className="text-muted">{label}</dt>
            <dd className="mb-1.5 truncate font-medium tabular-nums">{short}</dd>
            <dd>
              <Meter value={value} max={max} label={label} text={text} />
            </dd>
          </div>
        ))}
      </dl>
    </li>
  )
}
