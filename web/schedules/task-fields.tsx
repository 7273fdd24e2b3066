import type { ServerPermission } from '../../src/contract/permissions.ts'
import { powerActions } from '../../src/contract/power.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Checkbox } from '../ui/switch.tsx'
import type { ScheduleTask } from './queries.ts'
import { schedulesText } from './text.ts'

/** What there is to say of one task. */
export function TaskFields({
  task,
  may,
  onChange,
}: {
  task: ScheduleTask
  may(permission: ServerPermission): boolean
  onChange(task: ScheduleTask): void
}) {
  const t = useText(schedulesText)
  return (
    <div className="grid gap-3 p-3 sm:grid-cols-2">
      {task.kind === 'power' && (
        <Field label={t.action}>
          <Select
            value={task.action}
            choices={powerActions.map((value) => ({
              value,
              label: t.actions[value],
              disabled: !may(`control.${value}`),
            }))}
            onChange={(action) => onChange({ ...task, action })}
          />
        </Field>
      )}
      {task.kind === 'command' && (
        <Field label={t.command} className="sm:col-span-2">
          <Input
            required
            maxLength={4096}
            spellCheck={false}
            autoComplete="off"
            className="font-mono text-[13px]"
            value={task.command}
            onChange={(event) => onChange({ ...task, command: event.target.value })}
          />
        </Field>
      )}
      {task.kind === 'backup' && (
        <>
          <Field label={t.backupName}>
            <Input
              required
              maxLength={100}
              value={task.name}
              onChange={(event) => onChange({ ...task, name: event.target.value })}
            />
          </Field>
          <Seconds
            label={t.timeout}
            value={task.timeoutSeconds}
            onChange={(timeoutSeconds) => onChange({ ...task, timeoutSeconds })}
          />
          <Field label={t.ignored} hint={t.ignoredHint} className="sm:col-span-2">
            <TextArea
              rows={2}
              spellCheck={false}
              className="font-mono text-[13px]"
              value={task.ignored}
              onChange={(event) => onChange({ ...task, ignored: event.target.value })}
            />
          </Field>
        </>
      )}
      {task.kind === 'wait' && (
        <>
          <Field label={t.until}>
            <Select
              value={task.until}
              choices={(['offline', 'running'] as const).map((value) => ({ value, label: t.untils[value] }))}
              onChange={(until) => onChange({ ...task, until })}
            />
          </Field>
          <Seconds
            label={t.timeout}
            value={task.timeoutSeconds}
            onChange={(timeoutSeconds) => onChange({ ...task, timeoutSeconds })}
          />
        </>
      )}
      <Seconds
        label={t.delay}
        value={task.delaySeconds}
        onChange={(delaySeconds) => onChange({ ...task, delaySeconds })}
      />
      <div className="sm:col-span-2">
        <Checkbox
          label={t.goOn}
          checked={task.continueOnFailure}
          onChange={(continueOnFailure) => onChange({ ...task, continueOnFailure })}
        />
      </div>
    </div>
  )
}

/** Above this many seconds people think in minutes. */
const longSeconds = 60

function Seconds({ label, value, onChange }: { label: string; value: number; onChange(value: number): void }) {
  const t = useText(schedulesText)
  const format = useFormat()
  return (
    <Field label={label} hint={value > longSeconds ? t.delayHint(format.duration(value)) : undefined}>
      <Input
        type="number"
        inputMode="numeric"
        min={0}
        value={String(value)}
        onChange={(event) => onChange(Math.trunc(Number(event.target.value)))}
      />
    </Field>
  )
}
