import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { inspectionText, problemText } from './inspection-text.ts'
import type { RequestSummary } from './queries.ts'

/** What a request came to. */
export function Outcome({ request }: { request: RequestSummary }) {
  const t = useText(inspectionText)
  const { state, status, problem, webSocket } = request
  if (state === 'open')
    return (
      <Badge tone="accent" dot pulse>
        {webSocket && status === 101 ? t.webSocket : t.underWay}
      </Badge>
    )
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      {status !== null && <Badge tone={toneOf(status)}>{status}</Badge>}
      {problem !== null && <span className="text-bad text-xs">{problemText(t, problem)}</span>}
    </span>
  )
}

const toneOf = (status: number): Tone =>
  status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 300 ? 'plain' : 'good'
