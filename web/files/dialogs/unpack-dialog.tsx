import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useFormat } from '../../i18n/format.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Switch } from '../../ui/switch.tsx'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { join, plain } from '../paths.ts'
import { filesText } from '../text.ts'
import { FolderPicker } from './folder-picker.tsx'

/** Unpacks an archive into a folder. */
export function UnpackDialog({
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
  const format = useFormat()
  const [target, setTarget] = useState(directory)
  const [overwrite, setOverwrite] = useState(false)
  const unpack = useFileAction({
    run: () =>
      api.decompressFile({
        params: { serverId },
        body: { file: join(directory, name), root: plain(target), overwrite },
      }),
    done: ({ files, bytes }) => t.unpacked(format.number(files), format.bytes(bytes)),
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.unpackTitle(visible(name))}
      submit={t.unpack}
      busy={unpack.isPending}
      onSubmit={() => unpack.mutate(undefined)}
    >
      <FolderPicker
        serverId={serverId}
        folder={target}
        error={unpack.error ? visible(errorText(unpack.error)) : undefined}
        onChange={(folder) => {
          setTarget(folder)
          unpack.reset()
        }}
      />
      <Switch label={t.unpackOver} hint={t.unpackOverHint} checked={overwrite} onChange={setOverwrite} />
    </FormDialog>
  )
}
