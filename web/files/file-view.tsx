import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Download, FileQuestion } from 'lucide-react'
import { lazy, type ReactNode, useEffect, useState } from 'react'
import { ApiError } from '../../src/client/index.ts'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState, ErrorState, Loading } from '../ui/state.tsx'
import { toast } from '../ui/toast.ts'
import { download } from './download.ts'
import { editorText } from './editor/text.ts'
import { visible } from './file-name.tsx'
import { ImageView } from './image-view.tsx'
import { viewOf } from './kinds.ts'
import { LogView } from './log-view.tsx'
import { nameOf } from './paths.ts'
import { contentsQuery } from './queries.ts'
import { filesText } from './text.ts'
import { ViewFrame } from './view-frame.tsx'

const EditorView = lazy(() => import('./editor/editor-view.tsx').then(({ EditorView }) => ({ default: EditorView })))

/** One opened file, shown as what it is. With `asText` as text, whatever its name says. */
export function FileView({ serverId, path, asText }: { serverId: string; path: string; asText: boolean }) {
  switch (asText ? 'text' : viewOf(nameOf(path))) {
    case 'image':
      return <ImageView serverId={serverId} path={path} />
    case 'log':
      return <LogView serverId={serverId} path={path} />
    case 'binary':
      return <NotShown serverId={serverId} path={path} />
    case 'text':
      return <TextFile serverId={serverId} path={path} />
  }
}

function TextFile({ serverId, path }: { serverId: string; path: string }) {
  const t = useText(editorText)
  const navigate = useNavigate()
  const { data, error, refetch } = useQuery(contentsQuery(serverId, path))
  // What was opened stays open, also when it is deleted or the machine is away for a moment.
  const [opened, setOpened] = useState(data)
  if (data && !opened) setOpened(data)
  const conflict = !opened && error instanceof ApiError && error.code === 'conflict'
  useEffect(() => {
    if (!conflict) return
    const stop = new AbortController()
    // A link may lead to a folder: the list shows only that it is a link.
    api
      .listFiles({ params: { serverId }, query: { directory: path, limit: 1 } }, { signal: stop.signal })
      .then(() => navigate({ to: '/servers/$serverId/files', params: { serverId }, search: { path }, replace: true }))
      .catch(() => undefined)
    return () => stop.abort()
  }, [conflict, navigate, path, serverId])
  if (opened) return <EditorView serverId={serverId} path={path} opened={opened} />
  if (!error) return <Loading />
  if (error instanceof ApiError && error.code === 'too_large')
    return <LogView serverId={serverId} path={path} why={errorText(error)} />
  if (conflict) return <NotShown serverId={serverId} path={path} why={errorText(error)} />
  return (
    <ViewFrame serverId={serverId} path={path}>
      <ErrorState title={t.openFailed} onRetry={() => void refetch()}>
        {visible(errorText(error))}
      </ErrorState>
    </ViewFrame>
  )
}

function NotShown({ serverId, path, why }: { serverId: string; path: string; why?: ReactNode }) {
  const t = useText(editorText)
  const files = useText(filesText)
  const queries = useQueryClient()
  return (
    <ViewFrame serverId={serverId} path={path}>
      <Card>
        <EmptyState
          icon={FileQuestion}
          title={t.notShown}
          actions={
            <Button
              icon={Download}
              kind="primary"
              onClick={() =>
                void download(queries, serverId, path).catch((reason: unknown) =>
                  toast.error(visible(errorText(reason))),
                )
              }
            >
              {files.download}
            </Button>
          }
        >
          {why ?? t.binaryHint}
        </EmptyState>
      </Card>
    </ViewFrame>
  )
}
