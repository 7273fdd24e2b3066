import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useId, useMemo, useState } from 'react'
import { useLanguage, useText } from '../i18n/language.tsx'
import { classNames } from '../ui/class-names.ts'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { cronWords } from './cron-words.ts'
import { useMoment } from './moment.ts'
import { nextRunsQuery } from './next-runs.ts'
import { cronOf, rhythms, type Timing, timingOf } from './presets.ts'
import { schedulesText } from './text.ts'

/** January 2024 began with a Monday. */
const mondayMs = Date.UTC(2024, 0, 1)
const dayMs = 86_400_000

/** When a schedule runs: a rhythm or a pattern, and a time zone; says in words and with the next runs what they mean. */
export function TimingFields({
  cron,
  timeZone,
  wrong,
  onChange,
}: {
  cron: string
  timeZone: string
  wrong: { cron?: string | undefined; timeZone?: string | undefined }
  onChange(part: { cron?: string; timeZone?: string }): void
}) {
  const t = useText(schedulesText)
  const { language } = useLanguage()
  const [timing, setTiming] = useState<Timing>(() => timingOf(cron))
  const change = (part: Partial<Timing>): void => {
    const next = { ...timing, ...part }
    setTiming(next)
    const pattern = cronOf(next)
    if (pattern !== null) onChange({ cron: pattern })
  }
  const weekdays = useMemo(() => {
    const format = new Intl.DateTimeFormat(language, { weekday: 'long', timeZone: 'UTC' })
    return Array.from({ length: 7 }, (_, day) => ({
      value: String(day + 1),
      label: format.format(mondayMs + day * dayMs),
    }))
  }, [language])
  return (
    <>
      <div className={classNames('grid gap-4', timing.rhythm === 'daily' ? 'sm:grid-cols-3' : 'sm:grid-cols-2')}>
        <Field label={t.rhythm}>
          <Select
            value={timing.rhythm}
            choices={rhythms.map((value) => ({ value, label: t.rhythms[value] }))}
            onChange={(rhythm) => change({ rhythm })}
          />
        </Field>
        {timing.rhythm === 'own' && (
          <Field label={t.cron} hint={t.cronHint} error={wrong.cron}>
            <Input
              required
              maxLength={100}
              spellCheck={false}
              autoComplete="off"
              className="font-mono text-[13px]"
              value={cron}
              onChange={(event) => onChange({ cron: event.target.value })}
            />
          </Field>
        )}
        {timing.rhythm === 'weekly' && (
          <Field label={t.weekday}>
            <Select value={timing.weekday} choices={weekdays} onChange={(weekday) => change({ weekday })} />
          </Field>
        )}
        {(timing.rhythm === 'daily' || timing.rhythm === 'weekly') && (
          <Field label={t.time}>
            <Input
              type="time"
              required
              value={timing.time}
              onChange={(event) => change({ time: event.target.value })}
            />
          </Field>
        )}
        <ZoneField timeZone={timeZone} error={wrong.timeZone} onChange={(next) => onChange({ timeZone: next })} />
      </div>
      <Preview cron={cron} timeZone={timeZone} />
    </>
  )
}

function ZoneField({
  timeZone,
  error,
  onChange,
}: {
  timeZone: string
  error: string | undefined
  onChange(timeZone: string): void
}) {
  const t = useText(schedulesText)
  const listId = useId()
  const zones = useMemo(() => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')], [])
  return (
    <Field label={t.zone} error={error}>
      <Input
        required
        list={listId}
        maxLength={64}
        spellCheck={false}
        autoComplete="off"
        value={timeZone}
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id={listId}>
        {zones.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </Field>
  )
}

/** The pattern in words, and when it runs next by the clocks of its time zone. */
function Preview({ cron, timeZone }: { cron: string; timeZone: string }) {
  const t = useText(schedulesText)
  const { language } = useLanguage()
  const asked = useDeferredValue({ cron: cron.trim(), timeZone: timeZone.trim() })
  const { data } = useQuery(nextRunsQuery(asked.cron, asked.timeZone))
  const moment = useMoment(asked.timeZone)
  const words = cronWords(asked.cron, language)
  return (
    <div aria-live="polite" className="rounded-lg bg-sunken px-4 py-3">
      {!data ? (
        <p className="text-muted">{words}</p>
      ) : 'problem' in data ? (
        <p className="text-bad">{t.problems[data.problem]}</p>
      ) : (
        <>
          <p className="font-medium">{words ?? t.noWords}</p>
          <h3 className="mt-2 text-muted text-xs">{t.nextFive}</h3>
          <ul className="mt-0.5 tabular-nums">
            {data.moments.map((at) => (
              <li key={at.getTime()}>{moment(at)}</li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
