import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { templatesQuery } from '../servers/queries.ts'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { Checkbox } from '../ui/switch.tsx'
import type { Template } from './queries.ts'
import { templatesText } from './text.ts'

const protocols = ['tcp', 'udp'] as const
const limits = ['memory', 'disk', 'cpu'] as const

/** What an egg could not say of a template. */
export function ChangeTemplate({ template, onClose }: { template: Template; onClose(): void }) {
  const t = useText(templatesText)
  const [name, setName] = useState(template.name)
  const [summary, setSummary] = useState(template.summary)
  const [category, setCategory] = useState(template.category)
  const [chosen, setChosen] = useState<readonly string[]>(template.protocols)
  const [resources, setResources] = useState(() => ({
    memory: String(template.resources.memory),
    disk: String(template.resources.disk),
    cpu: String(template.resources.cpu),
  }))
  const save = useAction({
    run: () =>
      api.updateTemplate({
        params: { template: template.id },
        body: {
          ...{ name, summary, category },
          protocols: protocols.filter((protocol) => chosen.includes(protocol)),
          resources: {
            memory: Number(resources.memory),
            disk: Number(resources.disk),
            cpu: Number(resources.cpu),
          },
        },
      }),
    done: t.saved,
    changes: [templatesQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const fields = ['name', 'summary', 'protocols', 'resources'].some((field) => fieldError(error, field))
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.changeTitle(template.name)}
      description={t.changeHint}
      submit={t.save}
      busy={save.isPending}
      disabled={chosen.length === 0}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.name} error={fieldError(error, 'name')}>
        <Input required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.summary} error={fieldError(error, 'summary')}>
        <Input maxLength={300} value={summary} onChange={(event) => setSummary(event.target.value)} />
      </Field>
      <Field label={t.category}>
        <Select
          value={category}
          choices={(['game', 'tool'] as const).map((value) => ({ value, label: t.categories[value] }))}
          onChange={(next) => setCategory(next)}
        />
      </Field>
      <fieldset className="grid gap-1.5">
        <legend className="mb-1.5 font-medium">{t.protocols}</legend>
        <div className="flex gap-5">
          {protocols.map((protocol) => (
            <Checkbox
              key={protocol}
              label={protocol.toUpperCase()}
              checked={chosen.includes(protocol)}
              onChange={(on) => setChosen(on ? [...chosen, protocol] : chosen.filter((each) => each !== protocol))}
            />
          ))}
        </div>
        {chosen.length === 0 && (
          <p role="alert" className="text-[13px] text-bad">
            {t.protocolsNeeded}
          </p>
        )}
      </fieldset>
      <fieldset>
        <legend className="mb-1.5 font-medium">{t.resources}</legend>
        <div className="grid gap-3 sm:grid-cols-3">
          {limits.map((limit) => (
            <Field key={limit} label={t[limit]} error={fieldError(error, `resources.${limit}`)}>
              <Input
                type="number"
                min={0}
                step={limit === 'cpu' ? 0.05 : 1}
                value={resources[limit]}
                onChange={(event) => setResources({ ...resources, [limit]: event.target.value })}
              />
            </Field>
          ))}
        </div>
      </fieldset>
      {error && !fields && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}
