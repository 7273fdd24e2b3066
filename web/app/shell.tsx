import { Link, Outlet } from '@tanstack/react-router'
import { Menu as MenuIcon, Search } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useEffect, useRef, useState } from 'react'
import type { Liveness } from '../api/live.ts'
import { Commands } from '../commands/commands.tsx'
import { CurlButton } from '../curl/curl-button.tsx'
import { useText } from '../i18n/language.tsx'
import { useLiveServers } from '../servers/live-servers.ts'
import { IconButton } from '../ui/button.tsx'
import { PageExtras } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { toast } from '../ui/toast.ts'
import { AccountMenu } from './account-menu.tsx'
import { Logo } from './logo.tsx'
import { type Place, usePlaces } from './places.ts'
import { appText } from './text.ts'
import { WorkspaceMenu } from './workspace-menu.tsx'

/** What stands around every page of somebody who is signed in. */
export function Shell() {
  const t = useText(appText)
  const liveness = useLiveServers()
  useSayWhenBack(liveness)
  const [menuOpen, setMenuOpen] = useState(false)
  const [commandsOpen, setCommandsOpen] = useState(false)
  const openCommands = (): void => {
    setMenuOpen(false)
    setCommandsOpen(true)
  }
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-lg focus:bg-raised focus:px-3 focus:py-2"
      >
        {t.skip}
      </a>
      <aside className="sticky top-0 hidden h-dvh w-60 shrink-0 border-line border-r bg-surface lg:block">
        <Sidebar onCommands={openCommands} />
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
                <Sidebar onNavigate={() => setMenuOpen(false)} onCommands={openCommands} />
              </Dialog.Content>
            </Dialog.Portal>
          </Dialog.Root>
          <Logo />
          <IconButton label={t.commands} icon={Search} onClick={openCommands} className="ml-auto" />
        </header>
        {liveness === 'lost' && (
          <div className="p-3 pb-0">
            <Notice tone="warn">{t.lost}</Notice>
          </div>
        )}
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <PageExtras value={<CurlButton />}>
            <Outlet />
          </PageExtras>
        </main>
      </div>
      <Commands open={commandsOpen} onOpenChange={setCommandsOpen} />
    </div>
  )
}

/** Whoever was told that the connection is lost is told that it is back. */
function useSayWhenBack(liveness: Liveness): void {
  const t = useText(appText)
  const wasLost = useRef(false)
  useEffect(() => {
    if (liveness === 'lost') wasLost.current = true
    if (liveness !== 'live' || !wasLost.current) return
    wasLost.current = false
    toast.success(t.back)
  }, [liveness, t])
}

function Sidebar({ onNavigate, onCommands }: { onNavigate?: () => void; onCommands(): void }) {
  const t = useText(appText)
  const groups = usePlaces()
  return (
    <div className="flex h-full flex-col gap-1 p-3">
      <div className="px-2 pt-1 pb-3">
        <Logo />
      </div>
      <WorkspaceMenu />
      <button
        type="button"
        onClick={onCommands}
        className="mt-2 flex h-9 shrink-0 items-center gap-2.5 rounded-lg border border-line px-2.5 text-muted hover:bg-sunken hover:text-ink"
      >
        <Search aria-hidden className="size-4" />
        <span className="flex-1 text-left">{t.commands}</span>
        <kbd className="font-mono text-xs">{commandsKeys}</kbd>
      </button>
      {/* Room for the outline of what has the focus. */}
      <nav
        aria-label={t.mainMenu}
        className="-mx-1 mask-b-from-[calc(100%-1.25rem)] mt-2 grid min-h-0 content-start gap-0.5 overflow-y-auto px-1 pt-0.5 pb-5 [scrollbar-color:var(--line)_transparent] [scrollbar-width:thin]"
      >
        {groups.map(({ title, places }) => (
          <div key={title} className="grid gap-0.5">
            {title && <h2 className="px-2.5 pt-4 pb-1 font-medium text-muted text-xs">{title}</h2>}
            {places.map((place) => (
              <NavItem key={place.to} {...place} onNavigate={onNavigate} />
            ))}
          </div>
        ))}
      </nav>
      <div className="mt-auto pt-3">
        <AccountMenu />
      </div>
    </div>
  )
}

/** As people know it from other programs of their system. */
const commandsKeys = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'

/** One entry of the main menu. */
function NavItem({ to, icon: Icon, label, onNavigate }: Place & { onNavigate: (() => void) | undefined }) {
  return (
    <Link
      to={to}
      {...(onNavigate ? { onClick: onNavigate } : {})}
      className="flex h-8.5 items-center gap-2.5 rounded-lg px-2.5 font-medium text-muted hover:bg-sunken hover:text-ink data-[status=active]:bg-accent-soft data-[status=active]:text-accent-text"
    >
      <Icon aria-hidden className="size-4" />
      {label}
    </Link>
  )
}
