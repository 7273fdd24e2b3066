import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { resourcesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { RadioGroup } from '../ui/radio.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { bodyOf, type Draft, draftOf, newDraft } from './draft.ts'
import { type Schedule, schedulesQuery } from './queries.ts'
import { TaskList } from './task-list.tsx'
import { schedulesText } from './text.ts'
import { TimingFields } from './timing-fields.tsx'

/** Makes a schedule, or changes the given one. */
export function ScheduleForm({ schedule, onClose }: { schedule: Schedule | null; onClose(): void }) {
  const t = useText(schedulesText)
  const { timeZone } = useLanguage()
  const { serverId } = useServer()
  const [draft, setDraft] = useState<Draft>(() =>
    schedule ? draftOf(schedule) : newDraft(timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone),
  )
  const change = (part: Partial<Draft>): void => setDraft((now) => ({ ...now, ...part }))
  const save = useAction({
    run: () =>
      schedule
        ? api.updateSchedule({ params: { serverId, schedule: schedule.id }, body: bodyOf(draft) })
        : api.createSchedule({ params: { serverId }, body: bodyOf(draft) }),
    done: t.saved,
    changes: [schedulesQuery(serverId).queryKey, resourcesQuery(serverId).queryKey],
    quiet: true,
    onDone: onClose,
  })
  const wrong = {
    name: fieldError(save.error, 'name'),
    cron: fieldError(save.error, 'cron'),
    timeZone: fieldError(save.error, 'timeZone'),
  }
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={schedule ? t.editTitle(schedule.name) : t.createTitle}
      submit={t.save}
      busy={save.isPending}
      disabled={draft.name.trim() === '' || draft.tasks.length === 0}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.name} error={wrong.name}>
        <Input
          autoFocus
          required
          maxLength={80}
          placeholder={t.namePlaceholder}
          value={draft.name}
          onChange={(event) => change({ name: event.target.value })}
        />
      </Field>
      <TimingFields cron={draft.cron} timeZone={draft.timeZone} wrong={wrong} onChange={change} />
      <TaskList tasks={draft.tasks} onChange={(tasks) => change({ tasks })} />
      <RadioGroup
        label={t.missed}
        value={draft.missed}
        choices={(['skip', 'run_once'] as const).map((value) => ({
          value,
          label: t.missedChoices[value],
          hint: t.missedHints[value],
        }))}
        onChange={(missed) => change({ missed })}
      />
      <Switch
        label={t.onlyWhenRunning}
        hint={t.onlyWhenRunningHint}
        checked={draft.onlyWhenRunning}
        onChange={(onlyWhenRunning) => change({ onlyWhenRunning })}
      />
      <Switch label={t.switchOn} checked={draft.enabled} onChange={(enabled) => change({ enabled })} />
      {save.error && !Object.values(wrong).some(Boolean) && <Notice tone="bad">{errorText(save.error)}</Notice>}
    </FormDialog>
  )
}
