import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Meter } from '../ui/meter.tsx'
import { serversText } from './text.ts'

/** How many a server has of what it may have: `2 of 10`. */
export function Limit({ label, current, limit }: { label: string; current: number; limit: number }) {
  const t = useText(serversText)
  const format = useFormat()
  const text = t.of(format.number(current), format.number(limit))
  return (
    <div className="w-28">
      <p className="mb-1 text-[13px] text-muted tabular-nums">{text}</p>
      <Meter value={current} max={limit} label={label} text={text} />
    </div>
  )
}
