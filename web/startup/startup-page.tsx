import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { phrases, useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { VariableField } from '../servers/variable-field.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Notice } from '../ui/state.tsx'

const startupText = phrases({
  en: {
    title: 'Start-up',
    hint: 'What the server is given when it starts. Changes are in force from its next start.',
    save: 'Save',
    saved: 'Saved. It is in force from the next start.',
    none: 'This kind of server has nothing to set.',
    mayNot: 'You have no permission for this. Ask the owner of the server.',
  },
  de: {
    title: 'Start',
    hint: 'Was der Server beim Starten bekommt. Änderungen gelten ab dem nächsten Start.',
    save: 'Speichern',
    saved: 'Gespeichert. Es gilt ab dem nächsten Start.',
    none: 'Bei dieser Art von Server gibt es nichts einzustellen.',
    mayNot: 'Dazu fehlt dir die Berechtigung. Frage den Besitzer des Servers.',
  },
})

const startupQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'startup'],
    queryFn: ({ signal }) => api.startup({ params: { serverId } }, { signal }),
  })

export function StartupPage() {
  const t = useText(startupText)
  const { serverId, may } = useServer()
  const { data } = useSuspenseQuery(startupQuery(serverId))
  const [changed, setChanged] = useState<Record<string, string>>({})
  const save = useAction({
    run: () => api.updateStartup({ params: { serverId }, body: { variables: changed } }),
    done: t.saved,
    changes: [startupQuery(serverId).queryKey],
    quiet: true,
    onDone: () => setChanged({}),
  })
  const mayUpdate = may('startup.update')
  const { error } = save
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={t.title} description={t.hint}>
      {data.variables.length === 0 ? (
        <p className="text-muted">{t.none}</p>
      ) : (
        <form onSubmit={submit} className="grid max-w-3xl gap-5">
          {data.variables.map((variable) => (
            <VariableField
              key={variable.name}
              variable={variable}
              disabled={!mayUpdate}
              value={changed[variable.name] ?? variable.value}
              error={fieldError(error, `variables.${variable.name}`)}
              onChange={(value) => setChanged({ ...changed, [variable.name]: value })}
            />
          ))}
          {error && !(error instanceof ApiError && error.details.length > 0) && (
            <Notice tone="bad">{errorText(error)}</Notice>
          )}
          <div>
            <Button
              type="submit"
              kind="primary"
              busy={save.isPending}
              disabled={Object.keys(changed).length === 0}
              unavailable={mayUpdate ? null : t.mayNot}
            >
              {t.save}
            </Button>
          </div>
        </form>
      )}
    </Card>
  )
}
