import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { ConfirmDialog } from '../../ui/dialog.tsx'
import { Notice } from '../../ui/state.tsx'
import { useFileAction, useForEach } from '../file-actions.ts'
import { FileName, visible } from '../file-name.tsx'
import { join } from '../paths.ts'
import { filesText } from '../text.ts'

/** Names that are listed in the question. */
const listedMax = 8

/** Asks, then deletes files and folders for good. */
export function DeleteDialog({
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
  const forEach = useForEach()
  const remove = useFileAction({
    run: () =>
      forEach(names, (name) => api.deleteFile({ params: { serverId }, body: { file: join(directory, name) } })),
    quiet: true,
    onDone: onClose,
  })
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={t.deleteTitle(names.length === 1 ? visible(names[0] ?? '') : t.things(names.length))}
      description={t.deleteText}
      submit={t.delete}
      busy={remove.isPending}
      onSubmit={() => remove.mutate(undefined)}
    >
      {names.length > 1 && (
        <ul className="grid gap-0.5">
          {names.slice(0, listedMax).map((name) => (
            <li key={name} className="truncate">
              <FileName name={name} />
            </li>
          ))}
          {names.length > listedMax && <li className="text-muted">{t.andMore(names.length - listedMax)}</li>}
        </ul>
      )}
      {remove.error && <Notice tone="bad">{visible(errorText(remove.error))}</Notice>}
    </ConfirmDialog>
  )
}
