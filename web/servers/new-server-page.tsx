import { useSuspenseQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import type { z } from 'zod'
import { ApiError } from '../../src/client/index.ts'
import type { TemplateSummary } from '../../src/contract/api/templates.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount, useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { classNames } from '../ui/class-names.ts'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { PlacementFields, placedAnywhere, placingBody } from './placement-fields.tsx'
import { serversQuery, shortId, templatesQuery } from './queries.ts'
import { Room } from './room.tsx'
import { serversText } from './text.ts'
import { VariableField } from './variable-field.tsx'

type Template = z.output<typeof TemplateSummary>
type Limit = 'memory' | 'disk' | 'cpu'

/** From a game to a running server: everything but the choice has a value already. */
export function NewServerPage() {
  const t = useText(serversText)
  const { data: templates } = useSuspenseQuery(templatesQuery)
  const { instanceAdmin } = useAccount()
  const mayCreate = useMay('servers.create')
  const router = useRouter()
  const [template, setTemplate] = useState<Template | undefined>(templates[0])
  const [name, setName] = useState<string | null>(null)
  const [resources, setResources] = useState<Partial<Record<Limit, string>>>({})
  const [variables, setVariables] = useState<Record<string, string>>({})
  const [placing, setPlacing] = useState(placedAnywhere)
  const create = useAction({
    run: (chosen: Template) =>
      api.createServer({
        body: {
          name: name ?? chosen.name,
          template: chosen.id,
          resources: Object.fromEntries(
            Object.entries(resources)
              .filter(([, value]) => value.trim() !== '')
              .map(([limit, value]) => [limit, Number(value)]),
          ),
          variables,
          ...placingBody(placing),
        },
      }),
    done: (server) => t.made(server.name),
    changes: [serversQuery.queryKey],
    quiet: true,
    onDone: (server) => void router.navigate({ to: '/servers/$serverId', params: { serverId: shortId(server.id) } }),
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (template) create.mutate(template)
  }
  const choose = (next: Template): void => {
    setTemplate(next)
    setVariables({})
    setPlacing(placedAnywhere)
    create.reset()
  }
  const { error } = create
  const elsewhere = error && !(error instanceof ApiError && error.details.length > 0)
  return (
    <Page title={t.create} tabTitle={t.create}>
      {!mayCreate ? (
        <Notice tone="warn">{t.needsWorkspace}</Notice>
      ) : !template ? (
        <Notice tone="warn">{t.noTemplates}</Notice>
      ) : (
        <form onSubmit={submit} className="grid max-w-4xl gap-5">
          <Card title={t.chooseGame}>
            <div role="radiogroup" aria-label={t.chooseGame} className="grid gap-3 sm:grid-cols-2">
              {templates.map((each) => (
                <label
                  key={each.id}
                  className={classNames(
                    'grid cursor-pointer gap-1 rounded-lg border p-4 transition has-focus-visible:outline-2 has-focus-visible:outline-accent',
                    each.id === template.id ? 'border-accent bg-accent-soft' : 'border-line hover:border-line-strong',
                  )}
                >
                  <input
                    type="radio"
                    name="template"
                    className="sr-only"
                    checked={each.id === template.id}
                    onChange={() => choose(each)}
                  />
                  <span className="font-semibold">{each.name}</span>
                  <span className={each.id === template.id ? '' : 'text-muted'}>{each.summary}</span>
                </label>
              ))}
            </div>
          </Card>
          <Card>
            <Field label={t.nameIt} hint={t.nameHint} error={fieldError(error, 'name')}>
              <Input
                required
                maxLength={80}
                value={name ?? template.name}
                onChange={(event) => setName(event.target.value)}
              />
            </Field>
          </Card>
          <details className="group rounded-xl border border-line bg-surface">
            <summary className="px-5 py-4 font-semibold">{t.more}</summary>
            <div className="grid gap-5 px-5 pb-5">
              <Room />
              <div className="grid gap-4 sm:grid-cols-3">
                {(
                  [
                    ['memory', t.memory, t.memoryHint, 1],
                    ['disk', t.disk, t.diskHint, 1],
                    ['cpu', t.cpu, t.cpuHint, 0.05],
                  ] as const
                ).map(([limit, label, hint, step]) => (
                  <Field key={limit} label={label} hint={hint} error={fieldError(error, `resources.${limit}`)}>
                    <Input
                      type="number"
                      step={step}
                      min={0}
                      inputMode="decimal"
                      placeholder={String(template.resources[limit])}
                      value={resources[limit] ?? ''}
                      onChange={(event) => setResources({ ...resources, [limit]: event.target.value })}
                    />
                  </Field>
                ))}
              </div>
              <PlacementFields
                template={template}
                memoryMib={Number(resources.memory || template.resources.memory)}
                value={placing}
                error={error}
                onChange={setPlacing}
              />
              {template.variables.length > 0 && (
                <div className="grid gap-4 sm:grid-cols-2">
                  {template.variables
                    .filter(({ access }) => access !== 'hidden')
                    .map((variable) => (
                      <VariableField
                        key={variable.name}
                        variable={variable}
                        value={variables[variable.name] ?? variable.default}
                        locked={variable.access === 'view' && !instanceAdmin ? t.forAdmins : null}
                        error={fieldError(error, `variables.${variable.name}`)}
                        onChange={(value) => setVariables({ ...variables, [variable.name]: value })}
                      />
                    ))}
                </div>
              )}
            </div>
          </details>
          {elsewhere && <Notice tone="bad">{errorText(error)}</Notice>}
          <div>
            <Button type="submit" kind="primary" busy={create.isPending}>
              {t.createIt}
            </Button>
          </div>
        </form>
      )}
    </Page>
  )
}
