import type { WebhookEventName } from '../../src/contract/api/webhooks.ts'
import { useText } from '../i18n/language.tsx'
import { Checkbox } from '../ui/switch.tsx'
import { type EventGroup, eventGroups } from './events.ts'
import { webhooksText } from './text.ts'

/** Which events somebody is told of, in groups. */
export function EventChoice({
  chosen,
  onChange,
}: {
  chosen: readonly WebhookEventName[]
  onChange(chosen: WebhookEventName[]): void
}) {
  const t = useText(webhooksText)
  return (
    <div className="grid gap-x-6 gap-y-4 sm:grid-cols-2">
      {eventGroups.map(({ group, events }) => (
        <Group key={group} group={group} events={events} chosen={chosen} onChange={onChange} />
      ))}
      {chosen.length === 0 && (
        <p role="alert" className="text-[13px] text-bad sm:col-span-2">
          {t.noEvents}
        </p>
      )}
    </div>
  )
}

function Group({
  group,
  events,
  chosen,
  onChange,
}: {
  group: EventGroup
  events: readonly WebhookEventName[]
  chosen: readonly WebhookEventName[]
  onChange(chosen: WebhookEventName[]): void
}) {
  const t = useText(webhooksText)
  const here = events.filter((event) => chosen.includes(event)).length
  const set = (changed: readonly WebhookEventName[], on: boolean): void =>
    onChange([...chosen.filter((event) => !changed.includes(event)), ...(on ? changed : [])])
  return (
    <fieldset className="grid content-start gap-2">
      <legend className="mb-2 font-medium">{t.groups[group]}</legend>
      <Checkbox
        checked={here === events.length ? true : here > 0 ? 'indeterminate' : false}
        onChange={(on) => set(events, on)}
        label={<span className="text-muted">{t.selectAll}</span>}
      />
      {events.map((event) => (
        <Checkbox
          key={event}
          checked={chosen.includes(event)}
          onChange={(on) => set([event], on)}
          label={t.eventNames[event]}
          hint={t.eventHints[event]}
        />
      ))}
    </fieldset>
  )
}
