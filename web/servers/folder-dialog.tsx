import { useId, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { serversText } from './text.ts'

/** As much as a heading shows, characters. */
const nameLengthMax = 60

/** Into which folder servers go: one that there is, or a new one. */
export function FolderDialog({
  folders,
  onChoose,
  onClose,
}: {
  folders: readonly string[]
  onChoose(folder: string | null): void
  onClose(): void
}) {
  const t = useText(serversText)
  const id = useId()
  const [name, setName] = useState('')
  return (
    <FormDialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t.folderTitle}
      description={t.folderText}
      submit={name.trim() === '' ? t.noFolder : t.intoFolder}
      onSubmit={() => onChoose(name.trim() || null)}
    >
      <Field label={t.folder} hint={t.folderHint}>
        <Input
          list={id}
          maxLength={nameLengthMax}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <datalist id={id}>
        {folders.map((folder) => (
          <option key={folder} value={folder} />
        ))}
      </datalist>
    </FormDialog>
  )
}
