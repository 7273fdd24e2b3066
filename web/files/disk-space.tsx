import { useQuery } from '@tanstack/react-query'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Meter } from '../ui/meter.tsx'
import { spaceQuery } from './queries.ts'
import { filesText } from './text.ts'

/** How much of the server's disk its files take. */
export function DiskSpace({ serverId }: { serverId: string }) {
  const t = useText(filesText)
  const format = useFormat()
  const { data } = useQuery(spaceQuery(serverId))
  if (!data) return null
  const text = t.spaceOf(format.bytes(data.usedBytes), format.bytes(data.limitBytes))
  return (
    <div className="w-52 max-w-full" title={data.enforcement === 'quota' ? t.spaceQuota : t.spaceWatched}>
      <p className="mb-1 text-muted text-xs tabular-nums">{text}</p>
      <Meter value={data.usedBytes} max={data.limitBytes} label={t.space} text={text} />
    </div>
  )
}
