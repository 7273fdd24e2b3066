import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { memo } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { classNames } from '../ui/class-names.ts'
import { CopyButton } from '../ui/copy.tsx'
import { Meter } from '../ui/meter.tsx'
import { Checkbox } from '../ui/switch.tsx'
import { PlayerCount } from './player-count.tsx'
import { type ServerListItem, shortId, type Usage, usageKey } from './queries.ts'
import { StatusBadge } from './status-badge.tsx'
import { serversText } from './text.ts'

const MiB = 1024 * 1024

/** One server at a glance. Drawn again only when it changes itself: there may be hundreds. */
export const ServerCard = memo(function ServerCard({
  server,
  kind,
  selected,
  onSelect,
}: {
  server: ServerListItem
  /** What it runs, by its name. */
  kind: string
  selected: boolean
  onSelect(id: string, selected: boolean): void
}) {
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
    <li
      className={classNames(
        // What is out of sight is neither laid out nor painted.
        'relative grid grid-cols-1 content-start gap-4 rounded-xl border bg-surface p-4 transition [contain-intrinsic-size:auto_11.25rem] [content-visibility:auto]',
        selected ? 'border-accent' : 'border-line hover:border-line-strong',
      )}
    >
      <div className="flex items-start gap-3">
        <span className="relative z-10">
          <Checkbox
            checked={selected}
            onChange={(next) => onSelect(id, next)}
            label={t.select(server.name)}
            hideLabel
          />
        </span>
        <div className="min-w-0 flex-1">
          <Link
            to="/servers/$serverId"
            params={{ serverId: id }}
            // The whole card leads there; what else can be clicked lies above it.
            className="block truncate font-semibold after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent focus-visible:after:-outline-offset-2"
          >
            {server.name}
          </Link>
          <span className="block truncate text-muted text-xs">{kind}</span>
        </div>
        {server.status === 'running' && <PlayerCount serverId={id} />}
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
})
