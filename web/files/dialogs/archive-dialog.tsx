import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useFormat } from '../../i18n/format.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { isName, nameOf, partsOf } from '../paths.ts'
import { filesText } from '../text.ts'

/** Puts files and folders into a new archive beside them. */
export function ArchiveDialog({
  serverId,
  directory,
  names,
  onClose,
}: {
  serverId: string
  directory: string
  names: readonly string[]
  onClose(): void
}) {
  const t = useText(filesText)
  const format = useFormat()
  const stem = names.length === 1 ? names[0] : (partsOf(directory).at(-1) ?? 'files')
  const [name, setName] = useState(`${stem}.zip`)
  const pack = useFileAction({
    run: () => api.compressFiles({ params: { serverId }, body: { root: directory, files: [...names], name } }),
    done: ({ archivePath, size }) => t.archived(visible(nameOf(archivePath)), format.bytes(size)),
    quiet: true,
    onDone: onClose,
  })
  const what = names.length === 1 ? visible(names[0] ?? '') : t.things(names.length)
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.archiveTitle(what)}
      submit={t.archive}
      busy={pack.isPending}
      disabled={!isName(name)}
      onSubmit={() => pack.mutate(undefined)}
    >
      <Field
        label={t.archiveName}
        hint={t.archiveHint}
        error={!isName(name) ? t.badName : pack.error ? visible(errorText(pack.error)) : undefined}
      >
        <Input
          value={name}
          maxLength={255}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => {
            setName(event.target.value)
            pack.reset()
          }}
        />
      </Field>
    </FormDialog>
  )
}
