import { useQueryClient } from '@tanstack/react-query'
import { createContext, lazy, type ReactNode, Suspense, use, useEffect, useState, useSyncExternalStore } from 'react'
import { filesKey } from '../queries.ts'
import { createUploadQueue, isUnderWay, type UploadQueue } from './upload-queue.ts'

const UploadsContext = createContext<UploadQueue | null>(null)
const Tray = lazy(() => import('./upload-tray.tsx').then(({ UploadTray }) => ({ default: UploadTray })))

/** Keeps uploads going while their person looks at other pages, and shows them. */
export function UploadsProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient()
  const [queue] = useState(() =>
    createUploadQueue(({ serverId }) => void queries.invalidateQueries({ queryKey: filesKey(serverId) })),
  )
  const uploads = useSyncExternalStore(queue.subscribe, queue.all)
  const underWay = uploads.some(({ state }) => isUnderWay(state))
  useEffect(() => () => queue.clear(), [queue])
  useEffect(() => {
    if (!underWay) return
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
    window.addEventListener('beforeunload', ask)
    return () => window.removeEventListener('beforeunload', ask)
  }, [underWay])
  return (
    <UploadsContext value={queue}>
      {children}
      {uploads.length > 0 && (
        <Suspense>
          <Tray queue={queue} uploads={uploads} />
        </Suspense>
      )}
    </UploadsContext>
  )
}

export function useUploads(): UploadQueue {
  const queue = use(UploadsContext)
  if (!queue) throw new Error('There is no UploadsProvider above')
  return queue
}
