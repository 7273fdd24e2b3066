import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { serverQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/state.tsx'
import { startupQuery } from './queries.ts'
import { startupText } from './text.ts'

type Newer = NonNullable<Awaited<ReturnType<typeof api.startup>>['newer']>

/** Says that the template has a newer version, and takes it once somebody has seen what it changes. */
export function NewerTemplate({ newer }: { newer: Newer }) {
  const t = useText(startupText)
  const { serverId, may } = useServer()
  const [asking, setAsking] = useState(false)
  const take = useAction({
    run: () => api.takeTemplate({ params: { serverId } }),
    done: t.taken,
    changes: [startupQuery(serverId).queryKey, serverQuery(serverId).queryKey],
    quiet: true,
    onDone: () => setAsking(false),
  })
  return (
    <>
      <Notice
        actions={
          <Button unavailable={may('settings.reinstall') ? null : t.mayNot} onClick={() => setAsking(true)}>
            {t.take}
          </Button>
        }
      >
        <p className="font-medium">{t.newer}</p>
        <p>{t.newerHint}</p>
      </Notice>
      <FormDialog
        open={asking}
        onOpenChange={setAsking}
        title={t.take}
        description={t.newerHint}
        submit={t.take}
        busy={take.isPending}
        onSubmit={() => take.mutate()}
      >
        <Changes newer={newer} />
        {take.error && <Notice tone="bad">{errorText(take.error)}</Notice>}
      </FormDialog>
    </>
  )
}

function Changes({ newer: { parts, variables } }: { newer: Newer }) {
  const t = useText(startupText)
  const format = useFormat()
  // A part that has no word of its own is a detail.
  const words: Readonly<Record<string, string>> = t.parts
  const named = [...new Set(parts.map((part) => words[part] ?? t.parts.other))]
  return (
    <div className="grid gap-3">
      <p>{t.differs(format.list(named))}</p>
      {variables.length === 0 ? (
        <p className="text-muted">{t.valuesStay}</p>
      ) : (
        <ul className="wrap-anywhere grid list-disc gap-1 pl-5">
          {variables.map(({ name, label, from, to }) => (
            <li key={name}>
              {to === null ? t.goes(label) : from === null ? t.comes(label, to) : t.becomes(label, from, to)}
            </li>
          ))}
        </ul>
      )}
      {parts.includes('install') && <p className="text-muted">{t.reinstallToo}</p>}
    </div>
  )
}
