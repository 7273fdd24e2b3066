import { queryOptions, useQuery } from '@tanstack/react-query'
import { api } from '../api/api.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { templatesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Card } from '../ui/card.tsx'
import { playersText } from './text.ts'

type Players = Awaited<ReturnType<typeof api.players>>

/** Games are asked about that often by their nodes. */
const refreshMs = 10_000

const playersQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'players'],
    queryFn: ({ signal }) => api.players({ params: { serverId } }, { signal }),
    refetchInterval: refreshMs,
  })

/** Who plays on a server that runs, as its game says it. Nothing for what is no game and does not say it. */
export function PlayersCard() {
  const { serverId, server } = useServer()
  const { data: templates } = useQuery(templatesQuery)
  const { data: players } = useQuery({ ...playersQuery(serverId), enabled: server.status === 'running' })
  const isGame = templates?.find(({ id }) => id === server.template)?.category === 'game'
  if (server.status !== 'running' || !players || (players.at === null && !isGame)) return null
  return <Known players={players} />
}

function Known({ players }: { players: Players }) {
  const t = useText(playersText)
  const format = useFormat()
  const { online, max, names, description, version, latencyMs, message } = players
  const unnamed = (online ?? names.length) - names.length
  return (
    <Card title={t.title}>
      {message && <p className="text-[13px] text-muted">{message}</p>}
      {online !== null && (
        <p className="font-semibold text-lg tabular-nums">
          {t.count(format.number(online), max === null ? null : format.number(max))}
        </p>
      )}
      {online === 0 && <p className="text-[13px] text-muted">{t.nobody}</p>}
      {names.length > 0 && (
        <ul
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
          aria-label={t.list}
          className="mt-2 grid max-h-60 gap-1 overflow-y-auto"
        >
          {names.map((name, position) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: games let several players have the same name
            <li key={position} className="wrap-anywhere">
              <bdi>{name}</bdi>
            </li>
          ))}
        </ul>
      )}
      {unnamed > 0 && (
        <p className="mt-2 text-[13px] text-muted">{names.length === 0 ? t.unnamed : t.more(format.number(unnamed))}</p>
      )}
      <dl className="mt-3 grid gap-2 text-[13px] empty:hidden">
        {description && <Said label={t.shown} text={description} />}
        {version && <Said label={t.version} text={version} />}
      </dl>
      {latencyMs !== null && <p className="mt-2 text-muted text-xs">{t.latency(format.number(latencyMs))}</p>}
    </Card>
  )
}

/** Written by strangers: kept from turning the direction of what stands around it. */
const Said = ({ label, text }: { label: string; text: string }) => (
  <div>
    <dt className="text-muted">{label}</dt>
    <dd className="wrap-anywhere">
      <bdi>{text}</bdi>
    </dd>
  </div>
)
