import { useEffect, useState } from 'react'
import { useFormat } from '../i18n/format.ts'

const refreshMs = 20_000

/** When, in relation to now; the exact time on hover. */
export function RelativeTime({ at }: { at: string }) {
  const format = useFormat()
  const [, setTick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), refreshMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={at} title={format.time(at)} className="whitespace-nowrap">
      {format.relative(at)}
    </time>
  )
}
