import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { placementText } from '../servers/placement-text.ts'
import { serverQuery, serversQuery, templatesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { useAccount } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Field, Input } from '../ui/field.tsx'
import { RadioGroup } from '../ui/radio.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { settingsText } from './text.ts'

/** Whether it runs in the sandbox or in a container, and of which image. Shown where there is a choice. */
export function RuntimeCard() {
  const t = useText(settingsText)
  const p = useText(placementText)
  const { serverId, server, may } = useServer()
  const { instanceAdmin } = useAccount()
  const { data: templates = [] } = useQuery(templatesQuery)
  const [chosen, setRuntime] = useState<typeof server.runtime | null>(null)
  const [picked, setImage] = useState<string | null>(null)
  const save = useAction({
    run: () =>
      api.updateServer({
        params: { serverId },
        body: { runtime, ...(isContainer && { image: image.trim() === '' ? null : image.trim() }) },
      }),
    done: t.runtimeSaved,
    changes: [serverQuery(serverId).queryKey, serversQuery.queryKey],
    quiet: true,
    onDone() {
      setRuntime(null)
      setImage(null)
    },
  })
  const images = templates.find(({ id }) => id === server.template)?.images ?? []
  if (images.length === 0 && !instanceAdmin && server.runtime === 'sandbox') return null
  const runtime = chosen ?? server.runtime
  const image = picked ?? server.image ?? ''
  const isContainer = runtime === 'docker'
  return (
    <Card title={p.runtime} description={t.runtimeHint}>
      <div className="grid gap-5">
        <RadioGroup
          label={t.runtimeChoice}
          value={runtime}
          onChange={(next) => setRuntime(next)}
          choices={[
            { value: 'sandbox', label: p.runtimes.sandbox },
            { value: 'docker', label: p.runtimes.docker },
          ]}
        />
        {isContainer && images.length > 0 && (
          <Field label={p.image} hint={p.imageHint}>
            <Select
              value={images.some((each) => each.image === image) ? image : ''}
              choices={[
                { value: '', label: p.usualImage },
                ...images.map((each) => ({ value: each.image, label: each.name })),
              ]}
              onChange={setImage}
            />
          </Field>
        )}
        {isContainer && instanceAdmin && (
          <Field label={p.otherImage} hint={p.otherImageHint}>
            <Input
              maxLength={300}
              spellCheck={false}
              value={image}
              onChange={(event) => setImage(event.target.value)}
            />
          </Field>
        )}
        {save.error && <Notice tone="bad">{errorText(save.error)}</Notice>}
        <div>
          <Button
            kind="primary"
            busy={save.isPending}
            disabled={chosen === null && picked === null}
            unavailable={may('settings.update') ? null : t.mayNot}
            onClick={() => save.mutate()}
          >
            {t.save}
          </Button>
        </div>
      </div>
    </Card>
  )
}
