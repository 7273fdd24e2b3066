import { useSuspenseQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { VariableField } from '../servers/variable-field.tsx'
import { useAccount } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Notice } from '../ui/state.tsx'
import { NewerTemplate } from './newer-template.tsx'
import { startupQuery } from './queries.ts'
import { startupText } from './text.ts'

export function StartupPage() {
  const t = useText(startupText)
  const { serverId, may } = useServer()
  const { instanceAdmin } = useAccount()
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
    <>
      {data.newer && <NewerTemplate newer={data.newer} />}
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
                locked={variable.access === 'view' && !instanceAdmin ? t.forAdmins : null}
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
    </>
  )
}
