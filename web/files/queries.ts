import { infiniteQueryOptions, type QueryKey, queryOptions } from '@tanstack/react-query'
import type { z } from 'zod'
import type { FileEntry, fileOperations } from '../../src/contract/api/files.ts'
import { api } from '../api/api.ts'

export type Entry = z.output<typeof FileEntry>
export type Contents = z.output<(typeof fileOperations)['fileContents']['reply']>

/** Entries of one page: what arrives within a moment on a slow line. */
const pageEntries = 2_000

/** A folder that is looked at is read again this often, ms: games write while one watches. */
const watchMs = 15_000

/** How often a download from a URL is looked at, ms. */
const pullWatchMs = 1_500

/** Everything that is known about one server's files. */
export const filesKey = (serverId: string): QueryKey => ['files', serverId]

/** One folder, page by page. */
export const folderQuery = (serverId: string, directory: string) =>
  infiniteQueryOptions({
    queryKey: [...filesKey(serverId), 'folder', directory],
    queryFn: ({ pageParam, signal }) =>
      api.listFiles(
        {
          params: { serverId },
          query: { directory, limit: pageEntries, ...(pageParam === null ? {} : { cursor: pageParam }) },
        },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    // A large folder is read again only when somebody asks.
    refetchInterval: ({ state }) => (state.status === 'success' && state.data?.pages.length === 1 ? watchMs : false),
    refetchOnWindowFocus: ({ state }) => state.data?.pages.length === 1,
  })

export const spaceQuery = (serverId: string) =>
  queryOptions({
    queryKey: [...filesKey(serverId), 'space'],
    queryFn: ({ signal }) => api.diskSpace({ params: { serverId } }, { signal }),
  })

export const pullsQuery = (serverId: string) =>
  queryOptions({
    queryKey: [...filesKey(serverId), 'pulls'],
    queryFn: ({ signal }) => api.pulls({ params: { serverId } }, { signal }),
    refetchInterval: ({ state }) => (state.data?.some((pull) => pull.state === 'running') ? pullWatchMs : false),
  })

export const searchQuery = (serverId: string, directory: string, query: string) =>
  queryOptions({
    queryKey: [...filesKey(serverId), 'search', directory, query],
    queryFn: ({ signal }) => api.searchFiles({ params: { serverId }, query: { directory, query } }, { signal }),
  })

/** A file as text. What somebody edits is looked at again on its own, never because a folder has changed. */
export const contentsQuery = (serverId: string, file: string) =>
  queryOptions({
    queryKey: ['file-contents', serverId, file],
    queryFn: ({ signal }) => api.fileContents({ params: { serverId }, query: { file } }, { signal }),
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: true,
  })

/** A link to the bytes of one file or folder is used again for this long, ms; it works for ten minutes. */
const linkKeptMs = 5 * 60_000

/** Where the bytes of a file are, on the panel's own address: the one that the link names may be another one for the same panel. */
export const linkQuery = (serverId: string, file: string) =>
  queryOptions({
    queryKey: ['file-link', serverId, file],
    async queryFn({ signal }) {
      const { downloadUrl } = await api.downloadFile({ params: { serverId }, query: { file } }, { signal })
      const { pathname, search } = new URL(downloadUrl, location.origin)
      return pathname + search
    },
    staleTime: linkKeptMs,
    gcTime: linkKeptMs,
  })
