import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { isName } from '../paths.ts'
import { filesText } from '../text.ts'
import { createFile } from '../uploads/upload-file.ts'

/** Makes an empty file or a folder. */
export function NewEntryDialog({
  serverId,
  directory,
  kind,
  onClose,
  onMade,
}: {
  serverId: string
  directory: string
  kind: 'file' | 'folder'
  onClose(): void
  onMade(name: string): void
}) {
  const t = useText(filesText)
  const [name, setName] = useState('')
  const make = useFileAction({
    run: async () =>
      kind === 'folder'
        ? void (await api.createFolder({ params: { serverId }, body: { path: directory, name } }))
        : createFile(serverId, directory, name),
    quiet: true,
    onDone() {
      onClose()
      onMade(name)
    },
  })
  const problem = name !== '' && !isName(name) ? t.badName : make.error ? visible(errorText(make.error)) : undefined
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={kind === 'file' ? t.newFile : t.newFolder}
      submit={t.create}
      busy={make.isPending}
      disabled={!isName(name)}
      onSubmit={() => make.mutate(undefined)}
    >
      <Field label={t.name} error={problem}>
        <Input
          value={name}
          maxLength={255}
          autoComplete="off"
          spellCheck={false}
          placeholder={kind === 'file' ? 'server.properties' : 'plugins'}
          onChange={(event) => {
            setName(event.target.value)
            make.reset()
          }}
        />
      </Field>
    </FormDialog>
  )
}
