import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { Checkbox } from '../../ui/switch.tsx'
import { useFileAction, useForEach } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { join } from '../paths.ts'
import type { Entry } from '../queries.ts'
import { filesText } from '../text.ts'

const who = ['owner', 'group', 'others'] as const
const what = ['read', 'write', 'execute'] as const

/** Sets who may read, write and run files. */
export function ModeDialog({
  serverId,
  directory,
  entries,
  onClose,
}: {
  serverId: string
  directory: string
  entries: readonly Entry[]
  onClose(): void
}) {
  const t = useText(filesText)
  const forEach = useForEach()
  const [mode, setMode] = useState((entries[0]?.mode ?? '0644').slice(-3))
  const isMode = /^[0-7]{3}$/.test(mode)
  const bits = isMode ? Number.parseInt(mode, 8) : 0
  const change = useFileAction({
    run: () =>
      forEach(
        entries.map(({ name }) => name),
        (name) => api.chmodFile({ params: { serverId }, body: { file: join(directory, name), mode } }),
      ),
    quiet: true,
    onDone: onClose,
  })
  const title = entries.length === 1 ? visible(entries[0]?.name ?? '') : t.things(entries.length)
  const problem = !isMode ? t.octalHint : change.error ? visible(errorText(change.error)) : undefined
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.chmodTitle(title)}
      submit={t.save}
      busy={change.isPending}
      disabled={!isMode}
      onSubmit={() => change.mutate(undefined)}
    >
      <div className="grid gap-4 sm:grid-cols-3">
        {who.map((whom, column) => (
          <fieldset key={whom} className="grid content-start gap-2">
            <legend className="mb-2 font-medium">{t[whom]}</legend>
            {what.map((right, row) => {
              const bit = 1 << (8 - column * 3 - row)
              return (
                <Checkbox
                  key={right}
                  label={t[right]}
                  checked={(bits & bit) !== 0}
                  onChange={() => setMode((bits ^ bit).toString(8).padStart(3, '0'))}
                />
              )
            })}
          </fieldset>
        ))}
      </div>
      <Field label={t.octal} hint={t.octalHint} error={problem}>
        <Input
          value={mode}
          inputMode="numeric"
          maxLength={3}
          className="max-w-24 font-mono"
          onChange={(event) => {
            setMode(event.target.value)
            change.reset()
          }}
        />
      </Field>
    </FormDialog>
  )
}
