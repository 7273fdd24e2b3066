import { Square } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, TextArea } from '../ui/field.tsx'
import { RadioGroup } from '../ui/radio.tsx'
import { Notice } from '../ui/state.tsx'
import { Checkbox } from '../ui/switch.tsx'
import type { Backup } from './queries.ts'
import { stoppedState } from './reasons.ts'
import { backupsText } from './text.ts'

/** Asks what shall come back, says what that does, and has the server stopped first. */
export function RestoreBackup({
  backup,
  chosen,
  onClose,
}: {
  backup: Backup
  /** Files and folders that somebody has picked already. */
  chosen?: readonly string[] | undefined
  onClose(): void
}) {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId, server } = useServer()
  const [what, setWhat] = useState<'everything' | 'selected'>(chosen ? 'selected' : 'everything')
  const [paths, setPaths] = useState(chosen?.join('\n') ?? '')
  const [deleteOthers, setDeleteOthers] = useState(false)
  const everything = what === 'everything'
  const files = paths.split('\n').map(cleanPath).filter(Boolean)
  const restore = useAction({
    run: () =>
      api.restoreBackup({
        params: { serverId, backup: backup.id },
        body: everything ? { deleteOthers } : { files },
      }),
    // The live events tell the status: a reply that was asked for here might come after them, and be older.
    done: t.restoring,
    quiet: true,
    onDone: onClose,
  })
  const wrong = fieldError(restore.error, 'files')
  const stopped = stoppedState(server)
  const others = everything && deleteOthers
  const steps = [
    t.fromTime(format.time(backup.createdAt)),
    others ? t.othersDeleted : t.replaced,
    others && backup.ignored.trim() !== '' ? t.ignoredStay : '',
    t.checked,
    t.cannotStart,
  ].filter(Boolean)
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.restoreTitle(backup.name)}
      submit={t.restore}
      danger
      busy={restore.isPending}
      disabled={stopped !== 'is' || (!everything && files.length === 0)}
      onSubmit={() => restore.mutate()}
    >
      <RadioGroup
        label={t.what}
        value={what}
        onChange={(next) => setWhat(next)}
        choices={[
          { value: 'everything', label: t.everything, hint: t.everythingHint(format.number(backup.files)) },
          { value: 'selected', label: t.selected, hint: t.selectedHint },
        ]}
      />
      {everything ? (
        <Checkbox label={t.deleteOthers} hint={t.deleteOthersHint} checked={deleteOthers} onChange={setDeleteOthers} />
      ) : (
        <Field label={t.paths} hint={t.pathsHint} error={wrong}>
          <TextArea
            value={paths}
            onChange={(event) => setPaths(event.target.value)}
            spellCheck={false}
            className="font-mono text-[13px]"
          />
        </Field>
      )}
      <section className="grid gap-1.5">
        <h3 className="font-medium">{t.willHappen}</h3>
        <ul className="grid list-disc gap-1 pl-5 marker:text-muted">
          {steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ul>
      </section>
      {stopped !== 'is' && (
        <Notice tone="warn" actions={stopped === 'stop' && <StopButton />}>
          {t.mustStop[stopped]}
        </Notice>
      )}
      {restore.error && !wrong && <Notice tone="bad">{errorText(restore.error)}</Notice>}
    </FormDialog>
  )
}

function StopButton() {
  const t = useText(backupsText)
  const { serverId, may } = useServer()
  const stop = useAction({
    run: () => api.power({ params: { serverId }, body: { action: 'stop' } }),
  })
  return (
    <Button
      small
      icon={Square}
      busy={stop.isPending}
      unavailable={may('control.stop') ? null : t.mayNot}
      onClick={() => stop.mutate()}
    >
      {t.stop}
    </Button>
  )
}

/** People write `/world/` where the API has `world`. */
const cleanPath = (line: string): string => line.trim().replace(/^(\.?\/)+|\/+$/g, '')
