import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { useFileAction, useForEach } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { join, plain } from '../paths.ts'
import { filesText } from '../text.ts'
import { FolderPicker } from './folder-picker.tsx'

/** Moves or copies files and folders into a folder. What is copied to where it is gets another name. */
export function RelocateDialog({
  serverId,
  directory,
  names,
  how,
  onClose,
}: {
  serverId: string
  directory: string
  names: readonly string[]
  how: 'move' | 'copy'
  onClose(): void
}) {
  const t = useText(filesText)
  const forEach = useForEach()
  const [target, setTarget] = useState(directory)
  const here = plain(target) === directory
  const relocate = useFileAction({
    run: () =>
      forEach(names, (name) => {
        const from = join(directory, name)
        if (how === 'move')
          return api.renameFile({ params: { serverId }, body: { from, to: join(plain(target), name) } })
        const to = join(plain(target), here ? copyName(name, t.copyName) : name)
        return api.copyFile({ params: { serverId }, body: { from, to } })
      }),
    quiet: true,
    onDone: onClose,
  })
  const what = names.length === 1 ? visible(names[0] ?? '') : t.things(names.length)
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={how === 'move' ? t.moveTitle(what) : t.copyTitle(what)}
      submit={how === 'move' ? t.moveHere : t.copyHere}
      busy={relocate.isPending}
      disabled={how === 'move' && here}
      onSubmit={() => relocate.mutate(undefined)}
    >
      <FolderPicker
        serverId={serverId}
        folder={target}
        error={relocate.error ? visible(errorText(relocate.error)) : undefined}
        onChange={(folder) => {
          setTarget(folder)
          relocate.reset()
        }}
      />
    </FormDialog>
  )
}

/** `world.zip` → `world copy.zip`; endings of two parts stay together. */
function copyName(name: string, say: (stem: string, ending: string) => string): string {
  const { 1: stem = name, 2: ending = '' } = /^(.+?)((?:\.tar)?\.[^.]+)?$/su.exec(name) ?? []
  return say(stem, ending)
}
