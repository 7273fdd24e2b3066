import type { SentRequest } from '../../src/client/index.ts'

/** A request as anybody could repeat it: what was in its body is left out but for its shape. */
export interface MadeRequest {
  method: string
  /** With the query: `/api/v1/servers?limit=100`. */
  path: string
  body: unknown
}

/** Requests remembered per page: more than any page makes by itself, and little memory. */
const requestsPerPageMax = 40
/** Pages remembered: as far as somebody goes back and forth. */
const pagesMax = 50

export interface RequestRecord {
  add(page: string, request: Pick<SentRequest, 'method' | 'path' | 'body'>): void
  /** What that page asked for, the newest last, each once. The same list until it changes. */
  of(page: string): readonly MadeRequest[]
  subscribe(listener: () => void): () => void
}

/** Remembers which requests each page made. */
export function createRequestRecord(): RequestRecord {
  const pages = new Map<string, readonly MadeRequest[]>()
  const listeners = new Set<() => void>()
  const none: readonly MadeRequest[] = []
  return {
    add(page, { method, path, body }) {
      // Waiting for news of what was asked for already: as many as there is news, and nothing that the page does not show.
      if (/[?&]wait=/.test(path)) return
      const made = { method, path, body: body === undefined ? undefined : shapeOf(JSON.parse(body)) }
      const others = (pages.get(page) ?? none).filter((each) => each.method !== method || each.path !== path)
      // Set anew, so that the oldest page is the first.
      pages.delete(page)
      pages.set(page, [...others, made].slice(-requestsPerPageMax))
      for (const oldest of [...pages.keys()].slice(0, -pagesMax)) pages.delete(oldest)
      for (const listener of listeners) listener()
    },
    of: (page) => pages.get(page) ?? none,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The same with every value replaced: a body may hold a password, or a file. */
function shapeOf(value: unknown): unknown {
  if (typeof value === 'string') return '…'
  if (typeof value === 'number') return 0
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]))
  return value
}
