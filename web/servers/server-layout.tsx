import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, type LinkProps, Outlet, useLocation, useParams } from '@tanstack/react-router'
import { ChevronLeft } from 'lucide-react'
import { Suspense, useLayoutEffect, useRef } from 'react'
import type { ServerPermission } from '../../src/contract/permissions.ts'
import { sleepingBegins } from '../../src/contract/power.ts'
import { saidByPanel } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { TransferNotice } from '../transfers/transfer-notice.tsx'
import { buttonClass } from '../ui/button.tsx'
import { Copyable } from '../ui/copy.tsx'
import { useExtras } from '../ui/page.tsx'
import { Loading, Notice } from '../ui/state.tsx'
import { PlayerCount } from './player-count.tsx'
import { PowerButtons } from './power-buttons.tsx'
import { permissionsQuery, serverQuery, templatesQuery } from './queries.ts'
import { StatusBadge } from './status-badge.tsx'
import { serversText } from './text.ts'

/** The server that a page below `/servers/$serverId` is about. */
export function useServer() {
  const serverId = useParams({ from: '/inside/servers/$serverId', select: ({ serverId }) => serverId })
  const { data: server } = useSuspenseQuery(serverQuery(serverId))
  const { data: access } = useSuspenseQuery(permissionsQuery(serverId))
  return { serverId, server, ...access }
}

/** What there is of a server, and what one must be allowed to see it. */
export const tabs = [
  { name: 'console', to: '/servers/$serverId/console', permission: 'console.read' },
  { name: 'files', to: '/servers/$serverId/files', permission: 'files.read' },
  { name: 'stats', to: '/servers/$serverId/stats', permission: null },
  { name: 'crashes', to: '/servers/$serverId/crashes', permission: 'console.read' },
  { name: 'backups', to: '/servers/$serverId/backups', permission: 'backups.read' },
  { name: 'databases', to: '/servers/$serverId/databases', permission: 'databases.read' },
  { name: 'schedules', to: '/servers/$serverId/schedules', permission: 'schedules.read' },
  { name: 'network', to: '/servers/$serverId/network', permission: 'network.read' },
  { name: 'people', to: '/servers/$serverId/people', permission: 'users.read' },
  { name: 'startup', to: '/servers/$serverId/startup', permission: 'startup.read' },
  { name: 'activity', to: '/servers/$serverId/activity', permission: 'activity.read' },
  { name: 'settings', to: '/servers/$serverId/settings', permission: 'settings.read' },
] as const satisfies readonly { name: string; to: LinkProps['to']; permission: ServerPermission | null }[]

/** What stands above every page of one server: its name, how it is, its buttons, and what else there is. */
export function ServerLayout() {
  const t = useText(serversText)
  const { serverId, server, may } = useServer()
  const extras = useExtras()
  const { data: templates } = useQuery(templatesQuery)
  const isGame = templates?.find(({ id }) => id === server.template)?.category === 'game'
  const here = useLocation({ select: ({ pathname }) => pathname.split('/')[3] })
  const tab = tabs.find(({ name }) => name === here)?.name
  const title = tab === undefined ? server.name : `${t.tabs[tab]} · ${server.name}`
  // Before the effects of the page below, which may say more.
  useLayoutEffect(() => {
    document.title = `${title} · Pharos`
  }, [title])
  return (
    <div className="mx-auto w-full max-w-7xl px-4 py-5 sm:px-6 lg:px-8">
      <div className="flex min-h-9 items-center justify-between">
        <Link
          to="/servers"
          className="-ml-1 inline-flex h-8 items-center gap-1 rounded-md pr-2 text-muted hover:text-ink"
        >
          <ChevronLeft aria-hidden className="size-4" />
          {t.all}
        </Link>
        {extras}
      </div>
      <header className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <h1 className="flex flex-wrap items-center gap-3 font-semibold text-xl tracking-tight">
            <span className="wrap-anywhere">{server.name}</span>
            <StatusBadge status={server.status} />
            {server.status === 'running' && <PlayerCount serverId={serverId} known={server.usage?.players ?? null} />}
          </h1>
          <div className="mt-1 min-h-8 text-muted">
            {server.address ? (
              <span className="flex flex-wrap items-center gap-x-2">
                {isGame && <span>{t.friends}</span>}
                <Copyable text={server.address} />
              </span>
            ) : (
              t.noAddress
            )}
          </div>
        </div>
        <PowerButtons serverId={serverId} status={server.status} may={may} />
      </header>
      <Tabs active={tab} />
      <div className="grid gap-4">
        <TransferNotice serverId={serverId} status={server.status} />
        {!server.node.online && <Notice tone="warn">{t.nodeAway(server.node.name)}</Notice>}
        {server.status === 'sleeping' && <Notice tone="info">{t.asleep}</Notice>}
        {server.message && !server.message.startsWith(sleepingBegins) && (
          <Notice
            tone={server.status === 'install_failed' ? 'bad' : 'info'}
            actions={
              server.status === 'install_failed' &&
              may('settings.reinstall') && (
                <Link to="/servers/$serverId/settings" params={{ serverId }} className={buttonClass('plain', true)}>
                  {t.toReinstall}
                </Link>
              )
            }
          >
            {saidByPanel(server.message)}
          </Notice>
        )}
        {server.lastExit?.outOfMemory && server.status === 'offline' && <Notice tone="warn">{t.outOfMemory}</Notice>}
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </div>
    </div>
  )
}

/** The pages of the server. On a small screen the one that is looked at is scrolled to the middle. */
function Tabs({ active }: { active: (typeof tabs)[number]['name'] | undefined }) {
  const t = useText(serversText)
  const { serverId, server, may } = useServer()
  const row = useRef<HTMLElement>(null)
  useLayoutEffect(() => {
    const shown = active && row.current?.querySelector<HTMLElement>(`[data-tab=${active}]`)
    if (row.current && shown)
      row.current.scrollLeft = shown.offsetLeft - (row.current.clientWidth - shown.offsetWidth) / 2
  }, [active])
  return (
    <nav
      ref={row}
      aria-label={server.name}
      className="relative mt-3 mb-5 flex gap-1 overflow-x-auto overflow-y-clip border-line border-b"
    >
      {tabs.map(
        ({ to, name, permission }) =>
          (permission === null || may(permission)) && (
            <Link
              key={name}
              to={to}
              params={{ serverId }}
              data-tab={name}
              className="-mb-px whitespace-nowrap border-transparent border-b-2 px-2.5 py-2 font-medium 2xl:px-3 text-muted hover:text-ink data-[status=active]:border-accent data-[status=active]:text-ink"
            >
              {t.tabs[name]}
            </Link>
          ),
      )}
    </nav>
  )
}
