import { useSearch } from '@tanstack/react-router'
import { Suspense, useEffect } from 'react'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Loading } from '../ui/state.tsx'
import { visible } from './file-name.tsx'
import { FileView } from './file-view.tsx'
import { FolderView } from './folder-view.tsx'
import { join, plain } from './paths.ts'
import { filesText } from './text.ts'

/** The files of one server: a folder, or one file of it. */
export function FilesPage() {
  const t = useText(filesText)
  const { serverId, server } = useServer()
  const { path, file, as } = useSearch({ from: '/inside/servers/$serverId/files' })
  const folder = plain(path ?? '')
  const title = file === undefined ? t.title : visible(file)
  useEffect(() => {
    document.title = `${title} · ${server.name} · Pharos`
  }, [title, server.name])
  if (file === undefined) return <FolderView key={`${serverId} ${folder}`} directory={folder} />
  const full = join(folder, file)
  return (
    <Suspense fallback={<Loading />}>
      <FileView key={`${serverId} ${full} ${as ?? ''}`} serverId={serverId} path={full} asText={as === 'text'} />
    </Suspense>
  )
}
