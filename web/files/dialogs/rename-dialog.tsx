import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { isName, join } from '../paths.ts'
import { filesText } from '../text.ts'

/** Gives a file or folder another name where it is. */
export function RenameDialog({
  serverId,
  directory,
  name,
  onClose,
}: {
  serverId: string
  directory: string
  name: string
  onClose(): void
}) {
  const t = useText(filesText)
  const [next, setNext] = useState(name)
  const rename = useFileAction({
    run: () =>
      api.renameFile({ params: { serverId }, body: { from: join(directory, name), to: join(directory, next) } }),
    quiet: true,
    onDone: onClose,
  })
  const problem = !isName(next) ? t.badName : rename.error ? visible(errorText(rename.error)) : undefined
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.renameTitle(visible(name))}
      submit={t.rename}
      busy={rename.isPending}
      disabled={!isName(next) || next === name}
      onSubmit={() => rename.mutate(undefined)}
    >
      <Field label={t.newName} error={problem}>
        <Input
          value={next}
          maxLength={255}
          autoComplete="off"
          spellCheck={false}
          onFocus={({ target }) => {
            // What people change is the name, and hardly ever its ending.
            const dot = next.lastIndexOf('.')
            target.setSelectionRange(0, dot > 0 ? dot : next.length)
          }}
          onChange={(event) => {
            setNext(event.target.value)
            rename.reset()
          }}
        />
      </Field>
    </FormDialog>
  )
}
