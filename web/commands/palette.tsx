import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams, useRouter } from '@tanstack/react-router'
import { Command } from 'cmdk'
import { Building2, CircleUser, Keyboard, Languages, Monitor, Moon, Plus, Search, Server, Sun } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { useState } from 'react'
import type { PowerAction } from '../../src/contract/power.ts'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { usePlaces } from '../app/places.ts'
import { appText } from '../app/text.ts'
import { appearances, chooseAppearance } from '../appearance.ts'
import { type Language, languages, useLanguage, useText } from '../i18n/language.tsx'
import { serverQuery, serversQuery, shortId } from '../servers/queries.ts'
import { serversText } from '../servers/text.ts'
import { chooseWorkspace } from '../session/chosen-workspace.ts'
import { useAccount, useMay, useWorkspace } from '../session/session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { useReturnFocus } from '../ui/return-focus.ts'
import { Group, Item } from './entry.tsx'
import { ServerCommands } from './server-commands.tsx'
import { commandsText } from './text.ts'

const appearanceIcons = { system: Monitor, light: Sun, dark: Moon } as const

/** Everything that can be gone to or done from anywhere, by typing a part of its name. */
export function Palette({ onClose, onShortcuts }: { onClose(): void; onShortcuts(): void }) {
  const t = useText(commandsText)
  const app = useText(appText)
  const servers = useText(serversText)
  const router = useRouter()
  const queries = useQueryClient()
  const groups = usePlaces()
  const mayCreate = useMay('servers.create')
  const { workspaces } = useAccount()
  const workspace = useWorkspace()
  const { speak } = useLanguage()
  const { data: all = [] } = useQuery(serversQuery)
  const current = useParams({ strict: false }).serverId
  const [chosen, setChosen] = useState(current ?? null)
  const [text, setText] = useState('')
  const [killing, setKilling] = useState<string | null>(null)
  const returnFocus = useReturnFocus()
  const power = useAction({
    run: ({ serverId, action }: { serverId: string; action: PowerAction }) =>
      api.power({ params: { serverId }, body: { action } }),
    changes: ({ serverId }) => [serverQuery(serverId).queryKey],
  })
  const run = (action: () => void): void => {
    onClose()
    action()
  }
  const choose = (serverId: string): void => {
    setChosen(serverId)
    setText('')
  }
  const server = all.find(({ id }) => shortId(id) === chosen)
  if (killing)
    return (
      <ConfirmDialog
        open
        onOpenChange={(open) => !open && onClose()}
        title={servers.killTitle}
        description={servers.killText}
        submit={servers.power.kill}
        onSubmit={() => run(() => power.mutate({ serverId: killing, action: 'kill' }))}
      />
    )
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/55" />
        <Dialog.Content
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          className="fixed top-[10dvh] left-1/2 z-40 w-[calc(100vw-2rem)] max-w-xl -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-raised shadow-2xl"
        >
          <Dialog.Title className="sr-only">{app.commands}</Dialog.Title>
          <Command label={app.commands} loop>
            <div className="flex items-center gap-3 border-line border-b px-4">
              <Search aria-hidden className="size-4 shrink-0 text-muted" />
              <Command.Input
                value={text}
                onValueChange={setText}
                placeholder={t.placeholder}
                className="h-12 min-w-0 flex-1 bg-transparent text-ink placeholder:text-muted focus-visible:outline-none"
              />
            </div>
            <Command.List className="max-h-[60dvh] overflow-y-auto p-2">
              <Command.Empty className="px-3 py-8 text-center text-muted">{t.nothing}</Command.Empty>
              {server && (
                <ServerCommands
                  server={server}
                  onGo={(to) => run(() => void router.navigate({ to, params: { serverId: shortId(server.id) } }))}
                  onPower={(action) =>
                    action === 'kill'
                      ? setKilling(shortId(server.id))
                      : run(() => power.mutate({ serverId: shortId(server.id), action }))
                  }
                />
              )}
              <Group heading={t.pages}>
                {groups.flatMap(({ places }) =>
                  places.map(({ to, icon, label }) => (
                    <Item
                      key={to}
                      value={`page ${to}`}
                      words={[label]}
                      icon={icon}
                      onSelect={() => run(() => void router.navigate({ to }))}
                    >
                      {label}
                    </Item>
                  )),
                )}
                {mayCreate && (
                  <Item
                    value="page new server"
                    words={[servers.create]}
                    icon={Plus}
                    onSelect={() => run(() => void router.navigate({ to: '/servers/new' }))}
                  >
                    {servers.create}
                  </Item>
                )}
                <Item
                  value="page account"
                  words={[app.account]}
                  icon={CircleUser}
                  onSelect={() => run(() => void router.navigate({ to: '/account' }))}
                >
                  {app.account}
                </Item>
              </Group>
              <Group heading={app.servers}>
                {all.map(({ id, name, template, status }) => (
                  <Item
                    key={id}
                    value={`server ${id}`}
                    words={[name, template]}
                    icon={Server}
                    hint={servers.statuses[status]}
                    onSelect={() => choose(shortId(id))}
                  >
                    {name}
                  </Item>
                ))}
              </Group>
              {workspaces.length > 1 && (
                <Group heading={app.chooseWorkspace}>
                  {workspaces.map(({ slug, name }) => (
                    <Item
                      key={slug}
                      value={`workspace ${slug}`}
                      words={[name, app.workspace]}
                      icon={Building2}
                      hint={slug === workspace?.slug ? t.current : undefined}
                      onSelect={() =>
                        run(() => {
                          chooseWorkspace(slug)
                          void queries.invalidateQueries()
                          void router.invalidate()
                        })
                      }
                    >
                      {name}
                    </Item>
                  ))}
                </Group>
              )}
              <Group heading={app.appearance}>
                {appearances.map((each) => (
                  <Item
                    key={each}
                    value={`appearance ${each}`}
                    words={[app.appearance, app.appearances[each]]}
                    icon={appearanceIcons[each]}
                    onSelect={() => run(() => chooseAppearance(each))}
                  >
                    {app.appearances[each]}
                  </Item>
                ))}
              </Group>
              <Group heading={app.language}>
                {(Object.keys(languages) as Language[]).map((each) => (
                  <Item
                    key={each}
                    value={`language ${each}`}
                    words={[app.language, languages[each]]}
                    icon={Languages}
                    onSelect={() => run(() => speak(each))}
                  >
                    {languages[each]}
                  </Item>
                ))}
              </Group>
              <Group heading={t.help}>
                <Item value="shortcuts" words={[t.shortcuts]} icon={Keyboard} onSelect={() => run(onShortcuts)}>
                  {t.shortcuts}
                </Item>
              </Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
