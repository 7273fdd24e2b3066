import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import type { ScheduleRun } from './queries.ts'
import { schedulesText } from './text.ts'

const tones = {
  running: 'accent',
  done: 'good',
  failed: 'bad',
  skipped: 'plain',
  missed: 'warn',
  interrupted: 'warn',
} as const satisfies Record<ScheduleRun['state'], Tone>

/** How a run ended, or that it has not. */
export function RunState({ state }: { state: ScheduleRun['state'] }) {
  const t = useText(schedulesText)
  return (
    <Badge tone={tones[state]} dot={state === 'running'} pulse={state === 'running'}>
      {t.runStates[state]}
    </Badge>
  )
}
