import { useQuery } from '@tanstack/react-query'
import { Users } from 'lucide-react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { type Usage, usageKey } from './queries.ts'
import { serversText } from './text.ts'

/** How many play at this moment; nothing where nobody knows. The live connection brings it. */
export function PlayerCount({ serverId, known = null }: { serverId: string; known?: Usage['players'] }) {
  const t = useText(serversText)
  const format = useFormat()
  const { data: live } = useQuery<Usage>({ queryKey: usageKey(serverId), enabled: false })
  const players = live ? live.players : known
  if (!players) return null
  const online = format.number(players.online, 0)
  const text = players.max === null ? online : t.of(online, format.number(players.max, 0))
  return (
    <span className="inline-flex items-center gap-1 font-normal text-muted text-sm tabular-nums" title={t.players}>
      <Users aria-hidden className="size-4" />
      <span className="sr-only">{t.players}</span>
      {text}
    </span>
  )
}
