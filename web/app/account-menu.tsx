import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { ChevronsUpDown, CircleUser, Languages, LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { type Appearance, appearances, chooseAppearance, chosenAppearance } from '../appearance.ts'
import { type Language, languages, useLanguage, useText } from '../i18n/language.tsx'
import { end, useAccount } from '../session/session.ts'
import { Menu, type MenuEntry } from '../ui/menu.tsx'
import { appText } from './text.ts'

const appearanceIcons = { system: Monitor, light: Sun, dark: Moon } as const

/** Who is signed in, how the pages look and speak, and the way out. */
export function AccountMenu() {
  const t = useText(appText)
  const { email, name } = useAccount()
  const { language, speak } = useLanguage()
  const [appearance, setAppearance] = useState(chosenAppearance)
  const queries = useQueryClient()
  const router = useRouter()
  const leave = useAction({
    run: () => api.signOut(),
    onDone() {
      end(queries)
      void router.navigate({ to: '/sign-in' })
    },
  })
  const look = (next: Appearance): void => {
    chooseAppearance(next)
    setAppearance(next)
  }
  const entries: MenuEntry[] = [
    { label: t.account, icon: CircleUser, onSelect: () => void router.navigate({ to: '/account' }) },
    'line',
    ...appearances.map((each) => ({
      label: `${t.appearances[each]}${each === appearance ? ' ✓' : ''}`,
      icon: appearanceIcons[each],
      onSelect: () => look(each),
    })),
    'line',
    ...(Object.keys(languages) as Language[]).map((each) => ({
      label: `${languages[each]}${each === language ? ' ✓' : ''}`,
      icon: Languages,
      onSelect: () => speak(each),
    })),
    'line',
    { label: t.signOut, icon: LogOut, onSelect: () => leave.mutate() },
  ]
  return (
    <Menu
      label={t.account}
      entries={entries}
      trigger={
        <button
          type="button"
          className="flex w-full items-center gap-2.5 rounded-lg border border-transparent p-2 text-left hover:border-line hover:bg-sunken"
        >
          <span
            aria-hidden
            className="inline-flex size-8 shrink-0 items-center justify-center rounded-full bg-accent-soft font-semibold text-accent-text uppercase"
          >
            {(name || email).slice(0, 1)}
          </span>
          <span className="min-w-0 flex-1">
            <span className="block truncate font-medium">{name || email}</span>
            <span className="block truncate text-muted text-xs">{email}</span>
          </span>
          <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-muted" />
        </button>
      }
    />
  )
}
