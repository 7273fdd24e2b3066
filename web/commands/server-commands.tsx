import { useQuery } from '@tanstack/react-query'
import { ArrowRight, OctagonX, Play, RotateCw, Square } from 'lucide-react'
import { type PowerAction, powerActions, powerRules } from '../../src/contract/power.ts'
import { useText } from '../i18n/language.tsx'
import { permissionsQuery, type ServerListItem, shortId } from '../servers/queries.ts'
import { useRefusal } from '../servers/refusals.ts'
import { tabs } from '../servers/server-layout.tsx'
import { serversText } from '../servers/text.ts'
import { Group, Item } from './entry.tsx'

const icons = { start: Play, stop: Square, restart: RotateCw, kill: OctagonX } as const

/** What can be done with one server, and its pages. What cannot be done now says why. */
export function ServerCommands({
  server,
  onGo,
  onPower,
}: {
  server: ServerListItem
  onGo(to: (typeof tabs)[number]['to']): void
  onPower(action: PowerAction): void
}) {
  const t = useText(serversText)
  const { data: access } = useQuery(permissionsQuery(shortId(server.id)))
  const refusal = useRefusal()
  const whyNot = (action: PowerAction): string | null => {
    if (!access?.may(`control.${action}`)) return t.mayNot
    return refusal(powerRules[action][server.status], t.isSo)
  }
  return (
    <Group heading={server.name}>
      {powerActions.map((action) => {
        const reason = whyNot(action)
        return (
          <Item
            key={action}
            value={`power ${action}`}
            words={[server.name, t.power[action]]}
            icon={icons[action]}
            hint={reason}
            disabled={reason !== null}
            onSelect={() => onPower(action)}
          >
            {t.power[action]}
          </Item>
        )
      })}
      {tabs.map(
        ({ name, to, permission }) =>
          (permission === null || access?.may(permission)) && (
            <Item
              key={name}
              value={`tab ${name}`}
              words={[server.name, t.tabs[name]]}
              icon={ArrowRight}
              onSelect={() => onGo(to)}
            >
              {t.tabs[name]}
            </Item>
          ),
      )}
    </Group>
  )
}
