import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { ChevronsUpDown } from 'lucide-react'
import { useText } from '../i18n/language.tsx'
import { chooseWorkspace } from '../session/chosen-workspace.ts'
import { useAccount, useWorkspace } from '../session/session.ts'
import { Menu } from '../ui/menu.tsx'
import { appText } from './text.ts'

/** Which workspace is looked at, where somebody belongs to several. */
export function WorkspaceMenu() {
  const t = useText(appText)
  const { workspaces } = useAccount()
  const current = useWorkspace()
  const queries = useQueryClient()
  const router = useRouter()
  if (!current) return null
  if (workspaces.length === 1)
    return (
      <div className="px-2 py-1">
        <span className="block truncate font-medium">{current.name}</span>
        <span className="block truncate text-muted text-xs">{current.tunnelBase}</span>
      </div>
    )
  const choose = (slug: string): void => {
    chooseWorkspace(slug)
    void queries.invalidateQueries()
    void router.invalidate()
  }
  return (
    <Menu
      label={t.chooseWorkspace}
      entries={workspaces.map(({ slug, name }) => ({
        label: `${name}${slug === current.slug ? ' ✓' : ''}`,
        onSelect: () => choose(slug),
      }))}
      trigger={
        <button
          type="button"
          className="flex w-full items-center gap-2 rounded-lg border border-line px-2.5 py-1.5 text-left hover:bg-sunken"
        >
          <span className="min-w-0 flex-1">
            <span className="block truncate font-medium">{current.name}</span>
            <span className="block truncate text-muted text-xs">{current.tunnelBase}</span>
          </span>
          <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-muted" />
        </button>
      }
    />
  )
}
