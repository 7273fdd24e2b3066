import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { filesText } from './text.ts'

/** Why the person may not do something with files here; null where they may. */
export interface FileAccess {
  noWrite: string | null
  noDelete: string | null
  noArchive: string | null
}

export function useFileAccess(): FileAccess {
  const t = useText(filesText)
  const { may } = useServer()
  return {
    noWrite: may('files.write') ? null : t.mayNotWrite,
    noDelete: may('files.delete') ? null : t.mayNotDelete,
    noArchive: may('files.archive') ? null : t.mayNotArchive,
  }
}
