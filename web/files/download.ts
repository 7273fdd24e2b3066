import type { QueryClient } from '@tanstack/react-query'
import { linkQuery } from './queries.ts'

/** Has the browser save a file, or a folder as an archive. Rejects where the panel gives no link. */
export async function download(queries: QueryClient, serverId: string, path: string): Promise<void> {
  const link = document.createElement('a')
  link.href = await queries.fetchQuery(linkQuery(serverId, path))
  link.download = ''
  link.click()
}
