import type { z } from 'zod'
import type { fileTransfers } from '../../../src/contract/api/files.ts'
import { ApiError, readReply } from '../../../src/contract/exchange.ts'
import { api } from '../../api/api.ts'
import { join } from '../paths.ts'

export interface Sending {
  serverId: string
  directory: string
  /** Its name, or its path below the folder: missing folders are made. */
  name: string
  content: Blob
  /** Tells this content from another one under the same name. */
  contentKey: string
  overwrite: boolean
  tickets: Tickets
  signal: AbortSignal
  onProgress(sentBytes: number): void
  /** The connection is lost, or back. */
  onBreak(broken: boolean): void
}

/** A file up to this size goes in one piece, larger ones in pieces of it, in bytes: what a break costs at most. */
export const partBytes = 8 * 1024 * 1024

/** The waits after breaks without any progress between them, ms: a minute and a half in all, as long as a panel may restart. */
const waitsMs = [500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 30_000]

/**
 * Sends one file, in parts that go on after a break where they were: also one that the same person began in another window, or
 * before the page was closed. Rejects with an `ApiError`, or the signal's reason.
 */
export async function uploadFile(sending: Sending): Promise<void> {
  const { content, tickets, onProgress, onBreak, signal } = sending
  const { size } = content
  const whole = size <= partBytes
  let ticket: Ticket | null = null
  let renew = false
  let received: number | null = whole ? 0 : null
  let breaks = 0
  for (;;) {
    try {
      ticket ??= await tickets.of(sending, renew)
      renew = false
      if (received === null) {
        const asked = await send(ticket, sending, new Blob(), `bytes */${size}`, 0)
        if (asked.complete) return
        received = asked.received
        onProgress(received)
      }
      const end = Math.min(received + partBytes, size)
      const range = whole ? null : `bytes ${received}-${end - 1}/${size}`
      const reply = await send(ticket, sending, content.slice(received, end), range, received)
      onBreak(false)
      breaks = 0
      onProgress(reply.received)
      if (reply.complete) return
      received = reply.received
    } catch (error) {
      signal.throwIfAborted()
      const code = error instanceof ApiError ? error.code : 'internal'
      // A ticket is good for an hour; a further one goes on where the first one ended.
      renew = code === 'unauthorized' && ticket !== null
      ticket = null
      received = whole ? 0 : null
      if (code === 'rate_limited') {
        await pause(waitOf(error), signal)
        continue
      }
      const wait = waitsMs[breaks]
      if (wait === undefined || !(renew || code === 'unreachable')) throw error
      breaks += 1
      if (renew) continue
      onBreak(true)
      await pause(wait, signal)
    }
  }
}

/** Makes an empty file where nothing of that name is. */
export async function createFile(serverId: string, directory: string, name: string): Promise<void> {
  await uploadFile({
    serverId,
    directory,
    name,
    content: new Blob(),
    contentKey: '',
    overwrite: false,
    tickets: createTickets(),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onBreak: () => undefined,
  })
}

/** Whether something of that name is there already. */
export async function isThere({ serverId, directory, name }: Pick<Sending, 'serverId' | 'directory' | 'name'>) {
  try {
    await api.downloadFile({ params: { serverId }, query: { file: join(directory, name) } })
    return true
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not_found') return false
    throw error
  }
}

interface Ticket {
  url: string
  secret: string
}

/** Leave to upload, one for all files into a folder: asking for each would soon be too many requests. */
export interface Tickets {
  /** With `renew` a further one, since the last one is over. */
  of(into: { serverId: string; directory: string }, renew: boolean): Promise<Ticket>
}

export function createTickets(): Tickets {
  const known = new Map<string, Promise<Ticket>>()
  return {
    of({ serverId, directory }, renew) {
      const key = `${serverId} ${directory}`
      const present = renew ? undefined : known.get(key)
      if (present) return present
      const asked = api
        .startUpload({ params: { serverId }, query: { directory } })
        .then(({ uploadUrl, jwt }) => ({ url: uploadUrl, secret: jwt }))
      known.set(key, asked)
      // What failed is asked for again.
      asked.catch(() => known.get(key) === asked && known.delete(key))
      return asked
    },
  }
}

type Reply = z.output<(typeof fileTransfers)['uploadDirect']['reply']>['files'][number]

/** One request. `XMLHttpRequest` is what tells how much has been sent. */
function send(ticket: Ticket, sending: Sending, part: Blob, range: string | null, from: number): Promise<Reply> {
  const { name, contentKey, overwrite, signal, onProgress } = sending
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const stop = (): void => request.abort()
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', stop)
      act()
    }
    const broken = (): void => settle(() => reject(new ApiError('unreachable', 'The connection broke')))
    request.upload.onprogress = ({ loaded }) => onProgress(from + Math.min(loaded, part.size))
    request.onerror = broken
    request.ontimeout = broken
    request.onabort = () => settle(() => reject(signal.reason))
    request.onload = () =>
      settle(() => {
        try {
          const { status, responseText: text } = request
          const headers = { get: (header: string) => request.getResponseHeader(header) }
          // What this panel says of its own transfer; checked by the panel before it is sent.
          const { files } = readReply('panel', { status, headers, text }) as { files: Reply[] }
          const [reply] = files
          if (!reply) throw new ApiError('unreachable', 'The panel did not say what it has received')
          resolve(reply)
        } catch (error) {
          reject(error)
        }
      })
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', stop)
    const query = new URLSearchParams({ file: name, overwrite: String(overwrite), contentKey })
    request.open('POST', `${ticket.url}?${query}`)
    request.setRequestHeader('authorization', `Bearer ${ticket.secret}`)
    request.setRequestHeader('content-type', 'application/octet-stream')
    if (range !== null) request.setRequestHeader('content-range', range)
    request.send(part)
  })
}

/** How long a refusal for too many requests asks to wait, ms. */
const waitOf = (error: unknown): number =>
  1_000 * Math.max(1, (error instanceof ApiError && error.retryAfterSeconds) || 1)

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
  })
