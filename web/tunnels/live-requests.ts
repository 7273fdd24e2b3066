import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api } from '../api/api.ts'
import { connectionsQuery, type RequestList, requestsQuery, requestsShown } from './queries.ts'

/** The longest that the panel waits for news before it says that there are none, seconds. */
const waitSeconds = '20'

/** Between two questions, ms: a tunnel with a thousand requests a second has news at any time, and nobody reads that fast. */
const pauseMs = 1_000

/**
 * Keeps the list of a tunnel's requests as it is while somebody looks: asks the panel what is new since the list was read, and has the
 * answer a moment after it happens. A list that was read anew meanwhile is left as it is, and followed from there.
 */
export function useLiveRequests(tunnel: string, cursor: string | undefined): void {
  const queries = useQueryClient()
  useEffect(() => {
    if (cursor === undefined) return
    const stop = new AbortController()
    const { signal } = stop
    const follow = async (): Promise<void> => {
      while (!signal.aborted) {
        await seen(signal)
        const asked = performance.now()
        const news = await newsSince(tunnel, cursor, signal)
        if (signal.aborted) return
        if (news && (news.cursor !== cursor || news.requests.length > 0)) {
          await pause(asked + pauseMs - performance.now(), signal)
          if (signal.aborted) return
          // The new cursor begins this anew.
          queries.setQueryData(requestsQuery(tunnel).queryKey, (known) =>
            known?.cursor === cursor ? { ...news, requests: merged(known.requests, news.requests) } : known,
          )
          void queries.invalidateQueries({ queryKey: connectionsQuery(tunnel).queryKey })
          return
        }
        await pause(asked + pauseMs - performance.now(), signal)
      }
    }
    void follow()
    return () => stop.abort()
  }, [queries, tunnel, cursor])
}

/** Null where they could not be had: it is tried again. */
async function newsSince(tunnel: string, cursor: string, signal: AbortSignal): Promise<RequestList | null> {
  try {
    const query = { limit: requestsShown, cursor, wait: waitSeconds }
    return await api.tunnelRequests({ params: { tunnel }, query }, { signal })
  } catch {
    // The panel is away, which the page says elsewhere, or somebody may not look any more, which reading anew will say.
    await pause(failedMs, signal)
    return null
  }
}

/** After a question that was not answered, ms. */
const failedMs = 5_000

/** Newest first, each once, as it is now. */
function merged(
  known: readonly RequestList['requests'][number][],
  news: readonly RequestList['requests'][number][],
): RequestList['requests'] {
  const all = new Map([...known, ...news].map((request) => [request.id, request]))
  return [...all.values()].sort((one, other) => other.at.localeCompare(one.at)).slice(0, Number(requestsShown))
}

/** Resolves while somebody can see the page, or when it is aborted. */
const seen = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (document.visibilityState === 'hidden' && !signal.aborted) return
      document.removeEventListener('visibilitychange', look)
      signal.removeEventListener('abort', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    signal.addEventListener('abort', look)
    look()
  })

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (ms <= 0 || signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
