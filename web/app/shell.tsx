import { Link, type LinkProps, Outlet } from '@tanstack/react-router'
import {
  Cable,
  ChartColumn,
  HardDrive,
  History,
  KeyRound,
  type LucideIcon,
  Menu as MenuIcon,
  RadioTower,
  Server,
  Users,
} from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useState } from 'react'
import { rolePermissions, type WorkspacePermission } from '../../src/contract/permissions.ts'
import { useText } from '../i18n/language.tsx'
import { useLiveServers } from '../servers/live-servers.ts'
import { useAccount, useWorkspace } from '../session/session.ts'
import { IconButton } from '../ui/button.tsx'
import { Notice } from '../ui/state.tsx'
import { AccountMenu } from './account-menu.tsx'
import { Logo } from './logo.tsx'
import { appText } from './text.ts'
import { WorkspaceMenu } from './workspace-menu.tsx'

/** What stands around every page of somebody who is signed in. */
export function Shell() {
  const t = useText(appText)
  const liveness = useLiveServers()
  const [menuOpen, setMenuOpen] = useState(false)
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-lg focus:bg-raised focus:px-3 focus:py-2"
      >
        {t.skip}
      </a>
      <aside className="sticky top-0 hidden h-dvh w-60 shrink-0 border-line border-r bg-surface lg:block">
        <Sidebar />
      </aside>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-14 items-center gap-2 border-line border-b bg-surface px-3 lg:hidden">
          <Dialog.Root open={menuOpen} onOpenChange={setMenuOpen}>
            <Dialog.Trigger asChild>
              <IconButton label={t.openMenu} icon={MenuIcon} />
            </Dialog.Trigger>
            <Dialog.Portal>
              <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
              <Dialog.Content
                aria-describedby={undefined}
                className="fixed inset-y-0 left-0 z-40 w-72 max-w-[85vw] border-line border-r bg-surface shadow-2xl"
              >
                <Dialog.Title className="sr-only">{t.mainMenu}</Dialog.Title>
                <Sidebar onNavigate={() => setMenuOpen(false)} />
              </Dialog.Content>
            </Dialog.Portal>
          </Dialog.Root>
          <Logo />
        </header>
        {liveness === 'lost' && (
          <div className="p-3 pb-0">
            <Notice tone="warn">{t.lost}</Notice>
          </div>
        )}
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
    </div>
  )
}

function Sidebar({ onNavigate }: { onNavigate?: () => void }) {
  const t = useText(appText)
  const workspace = useWorkspace()
  const { instanceAdmin } = useAccount()
  const may = (permission: WorkspacePermission): boolean =>
    workspace !== null && rolePermissions[workspace.role].includes(permission)
  return (
    <div className="flex h-full flex-col gap-1 overflow-y-auto p-3">
      <div className="px-2 pt-1 pb-3">
        <Logo />
      </div>
      <WorkspaceMenu />
      <nav aria-label={t.mainMenu} className="mt-2 grid gap-0.5">
        <NavItem to="/servers" icon={Server} label={t.servers} onNavigate={onNavigate} />
        {may('tunnels.read') && <NavItem to="/tunnels" icon={Cable} label={t.tunnels} onNavigate={onNavigate} />}
        {workspace && (
          <>
            <h2 className="px-2.5 pt-4 pb-1 font-medium text-muted text-xs">{t.workspace}</h2>
            {may('usage.read') && <NavItem to="/usage" icon={ChartColumn} label={t.usage} onNavigate={onNavigate} />}
            {may('tokens.read') && <NavItem to="/keys" icon={KeyRound} label={t.keys} onNavigate={onNavigate} />}
            {may('members.read') && <NavItem to="/members" icon={Users} label={t.members} onNavigate={onNavigate} />}
            {may('activity.read') && (
              <NavItem to="/activity" icon={History} label={t.activity} onNavigate={onNavigate} />
            )}
          </>
        )}
        {instanceAdmin && (
          <>
            <h2 className="px-2.5 pt-4 pb-1 font-medium text-muted text-xs">{t.administration}</h2>
            <NavItem to="/admin/nodes" icon={HardDrive} label={t.nodes} onNavigate={onNavigate} />
            <NavItem to="/admin/edges" icon={RadioTower} label={t.edges} onNavigate={onNavigate} />
          </>
        )}
      </nav>
      <div className="mt-auto pt-3">
        <AccountMenu />
      </div>
    </div>
  )
}

/** One entry of the main menu. */
function NavItem({
  to,
  icon: Icon,
  label,
  onNavigate,
}: {
  to: NonNullable<LinkProps['to']>
  icon: LucideIcon
  label: string
  onNavigate: (() => void) | undefined
}) {
  return (
    <Link
      to={to}
      {...(onNavigate ? { onClick: onNavigate } : {})}
      className="flex h-9 items-center gap-2.5 rounded-lg px-2.5 font-medium text-muted hover:bg-sunken hover:text-ink data-[status=active]:bg-accent-soft data-[status=active]:text-accent-text"
    >
      <Icon aria-hidden className="size-4" />
      {label}
    </Link>
  )
}
