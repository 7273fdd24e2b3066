import { useInfiniteQuery } from '@tanstack/react-query'
import { CornerLeftUp, Folder } from 'lucide-react'
import { errorText } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { Loading } from '../../ui/state.tsx'
import { FileName, visible } from '../file-name.tsx'
import { join, parentOf, plain, root } from '../paths.ts'
import { folderQuery } from '../queries.ts'
import { filesText } from '../text.ts'

/** Chooses a folder: by clicking the way there, or by typing its path. */
export function FolderPicker({
  serverId,
  folder,
  onChange,
  error,
}: {
  serverId: string
  folder: string
  onChange(folder: string): void
  error?: string | undefined
}) {
  const t = useText(filesText)
  const path = plain(folder)
  const { data, error: unread } = useInfiniteQuery({ ...folderQuery(serverId, path), refetchInterval: false })
  const folders = data?.pages.flatMap(({ files }) => files).filter(({ isDirectory }) => isDirectory)
  const row = 'flex w-full min-h-9 items-center gap-2.5 px-3 py-1.5 text-left hover:bg-sunken'
  return (
    <div className="grid gap-2">
      <Field label={t.target} error={error}>
        <Input
          value={folder}
          spellCheck={false}
          autoComplete="off"
          className="font-mono text-[13px]"
          onChange={(event) => onChange(event.target.value)}
        />
      </Field>
      <ul className="h-56 overflow-y-auto rounded-lg border border-line">
        {path !== root && (
          <li>
            <button type="button" className={row} onClick={() => onChange(parentOf(path))}>
              <CornerLeftUp aria-hidden className="size-4 shrink-0 text-muted" />
              {t.up}
            </button>
          </li>
        )}
        {folders?.map(({ name }) => (
          <li key={name}>
            <button type="button" className={row} title={visible(name)} onClick={() => onChange(join(path, name))}>
              <Folder aria-hidden className="size-4 shrink-0 text-accent-text" />
              <span className="truncate">
                <FileName name={name} />
              </span>
            </button>
          </li>
        ))}
        {folders?.length === 0 && <li className="px-3 py-2 text-muted">{t.noFolders}</li>}
        {!folders && <li className="px-3 py-2 text-muted">{unread ? visible(errorText(unread)) : <Loading />}</li>}
      </ul>
    </div>
  )
}
