import { Link } from '@tanstack/react-router'
import { memo } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { classNames } from '../ui/class-names.ts'
import { Menu } from '../ui/menu.tsx'
import { RelativeTime } from '../ui/time.tsx'
import type { FileAccess } from './access.ts'
import { type FileAct, fileMenu } from './file-menu.ts'
import { FileName, visible } from './file-name.tsx'
import { iconOf } from './kinds.ts'
import { join } from './paths.ts'
import type { Entry } from './queries.ts'
import { filesText } from './text.ts'

export interface RowEvents {
  toggle(name: string, range: boolean): void
  act(what: FileAct, entry: Entry): void
  focused(name: string): void
}

/** One file or folder. Of all rows only the active one is reached with Tab; arrow keys make another one active. */
export const FileRow = memo(function FileRow({
  serverId,
  directory,
  entry,
  selected,
  active,
  access,
  on,
}: {
  serverId: string
  directory: string
  entry: Entry
  selected: boolean
  active: boolean
  access: FileAccess
  on: RowEvents
}) {
  const t = useText(filesText)
  const format = useFormat()
  const { name, isDirectory, size, modified, mode, symlink } = entry
  const Icon = iconOf(entry)
  const shown = visible(name)
  const tabIndex = active ? 0 : -1
  const unreadable = isUnreadable(entry)
  const sizeText = isDirectory ? '' : format.bytes(size)
  const label = (
    <>
      <span className="block truncate">
        <FileName name={name} />
        {symlink !== null && (
          <span className="text-muted" title={t.leadsTo(visible(symlink))}>
            {' → '}
            <FileName name={symlink} />
          </span>
        )}
      </span>
      <span className="block truncate text-muted text-xs md:hidden">
        {isDirectory ? t.folder : sizeText} · <RelativeTime at={modified} />
      </span>
    </>
  )
  return (
    <tr
      data-name={name}
      onFocus={() => on.focused(name)}
      onClick={({ target, shiftKey }) => {
        if (!unreadable && !(target as Element).closest('a, button, input, label, [role=menu]'))
          on.toggle(name, shiftKey)
      }}
      className={classNames('border-line border-b last:border-b-0', selected ? 'bg-accent-soft' : 'hover:bg-sunken/60')}
    >
      <td className="pl-3 md:pl-4">
        <label className="inline-flex size-8 items-center justify-center">
          <input
            type="checkbox"
            className="tick size-4.5"
            aria-label={t.select(shown)}
            checked={selected}
            disabled={unreadable}
            tabIndex={tabIndex}
            onChange={() => undefined}
            onClick={({ shiftKey }) => on.toggle(name, shiftKey)}
          />
        </label>
      </td>
      <td className="py-1.5 pr-3 md:py-1">
        <div className="flex min-h-8 items-center gap-2.5">
          <Icon
            aria-hidden
            className={classNames('size-4.5 shrink-0', isDirectory ? 'text-accent-text' : 'text-muted')}
          />
          {unreadable ? (
            <span className="min-w-0 text-muted" title={t.unreadable}>
              {label}
            </span>
          ) : (
            <Link
              to="/servers/$serverId/files"
              params={{ serverId }}
              search={isDirectory ? { path: join(directory, name) } : { path: directory, file: name }}
              preload={false}
              data-open
              tabIndex={tabIndex}
              title={shown}
              className="min-w-0 flex-1 font-medium hover:underline"
            >
              {label}
            </Link>
          )}
        </div>
      </td>
      <td className="whitespace-nowrap px-3 text-right text-muted tabular-nums max-md:hidden">{sizeText}</td>
      <td className="truncate px-3 text-muted max-md:hidden">
        <RelativeTime at={modified} />
      </td>
      <td className="px-3 font-mono text-[13px] text-muted max-lg:hidden">{mode}</td>
      <td className="pr-2 text-right md:pr-3">
        {!unreadable && (
          <Menu
            label={t.actionsFor(shown)}
            tabIndex={tabIndex}
            entries={fileMenu(entry, access, t, (what) => on.act(what, entry))}
          />
        )}
      </td>
    </tr>
  )
})

/** The panel can show a name that is not UTF-8, but nobody can ask for it. */
const isUnreadable = ({ name, mode, modified }: Entry): boolean =>
  name.includes('\ufffd') && mode === '0000' && Date.parse(modified) === 0
