import {
  Archive,
  Copy,
  Download,
  FolderInput,
  FolderOpen,
  KeyRound,
  PackageOpen,
  Pencil,
  TextCursorInput,
  Trash2,
} from 'lucide-react'
import type { MenuEntry } from '../ui/menu.tsx'
import type { FileAccess } from './access.ts'
import { isArchive, viewOf } from './kinds.ts'
import type { Entry } from './queries.ts'
import type { filesText } from './text.ts'

/** What can be done with files and folders. */
export type FileAct =
  | 'open'
  | 'openAsText'
  | 'rename'
  | 'move'
  | 'copy'
  | 'download'
  | 'archive'
  | 'unpack'
  | 'chmod'
  | 'delete'

/** The actions for one entry; what the person may not do says why. */
export function fileMenu(
  entry: Entry,
  access: FileAccess,
  t: (typeof filesText)['en'] | (typeof filesText)['de'],
  act: (what: FileAct) => void,
): MenuEntry[] {
  const write = refusal(access.noWrite)
  const { name, isDirectory } = entry
  return [
    { label: t.open, icon: FolderOpen, onSelect: () => act('open') },
    ...(!isDirectory && viewOf(name) !== 'text'
      ? [{ label: t.openAsText, icon: TextCursorInput, onSelect: () => act('openAsText') }]
      : []),
    { label: isDirectory ? t.downloadArchive : t.download, icon: Download, onSelect: () => act('download') },
    'line',
    { label: t.rename, icon: Pencil, onSelect: () => act('rename'), ...write },
    { label: t.move, icon: FolderInput, onSelect: () => act('move'), ...write },
    { label: t.copy, icon: Copy, onSelect: () => act('copy'), ...write },
    { label: t.chmod, icon: KeyRound, onSelect: () => act('chmod'), ...write },
    'line',
    ...(!isDirectory && isArchive(name)
      ? [{ label: t.unpack, icon: PackageOpen, onSelect: () => act('unpack'), ...refusal(access.noArchive) }]
      : []),
    { label: t.archive, icon: Archive, onSelect: () => act('archive'), ...refusal(access.noArchive) },
    'line',
    { label: t.delete, icon: Trash2, danger: true, onSelect: () => act('delete'), ...refusal(access.noDelete) },
  ]
}

const refusal = (reason: string | null) => (reason === null ? {} : { disabled: true, hint: reason })
