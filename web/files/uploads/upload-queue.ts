import { ApiError } from '../../../src/client/index.ts'
import { errorText } from '../../api/error-text.ts'
import { createTickets, isThere, uploadFile } from './upload-file.ts'

export interface Chosen {
  /** Its name, or its path below the folder. */
  name: string
  file: File
}

export interface Upload {
  readonly id: number
  readonly serverId: string
  readonly directory: string
  readonly name: string
  readonly sizeBytes: number
  readonly state: UploadState
}

/**
 * ```
 * waiting ──▶ sending ──▶ done
 *    ▲           ├───────▶ cancelled ─┐
 *    │           ├───────▶ failed ────┤ retry
 *    │           └───────▶ exists ────┤ replace
 *    └────────────────────────────────┘
 * ```
 */
export type UploadState =
  | { kind: 'waiting'; overwrite: boolean }
  | { kind: 'sending'; sentBytes: number; broken: boolean }
  | { kind: 'done' }
  | { kind: 'exists' }
  | { kind: 'failed'; reason: string }
  | { kind: 'cancelled' }

/** Files that are sent at the same time: enough to hide the way there and back of small ones. */
const atOnce = 3

/** What is shown is renewed at most this often, ms. */
const tellMs = 150

export interface UploadQueue {
  /** Those whose name is `taken` in the folder wait until somebody says that they replace what is there. */
  add(serverId: string, directory: string, files: readonly Chosen[], taken: ReadonlySet<string>): void
  /** Sends it (again), over what is there if that is said. */
  retry(id: number, overwrite: boolean): void
  cancel(id: number): void
  /** Takes it from the list. */
  forget(id: number): void
  /** Forgets what is over; the rest is cancelled. */
  clear(): void
  /** The same array until something changes. */
  all(): readonly Upload[]
  subscribe(listener: () => void): () => void
}

/** Sends files in turn. `onDone` is called after each that has arrived. */
export function createUploadQueue(onDone: (upload: Upload) => void): UploadQueue {
  const files = new Map<number, File>()
  const stops = new Map<number, AbortController>()
  const listeners = new Set<() => void>()
  const tickets = createTickets()
  let uploads: readonly Upload[] = []
  let next = 0
  let telling: ReturnType<typeof setTimeout> | undefined

  const tell = (): void => {
    telling = undefined
    for (const listener of listeners) listener()
  }
  const set = (id: number, state: UploadState, soon = false): void => {
    uploads = uploads.map((upload) => (upload.id === id ? { ...upload, state } : upload))
    if (!soon) tell()
    else if (telling === undefined) telling = setTimeout(tell, tellMs)
  }
  const fill = (): void => {
    while (stops.size < atOnce) {
      const upload = uploads.find(({ state }) => state.kind === 'waiting')
      if (upload?.state.kind !== 'waiting') return
      void run(upload, upload.state.overwrite)
    }
  }
  const run = async (upload: Upload, overwrite: boolean): Promise<void> => {
    const { id, serverId, directory, name, sizeBytes } = upload
    const content = files.get(id)
    if (!content) return
    const stop = new AbortController()
    stops.set(id, stop)
    let sentBytes = 0
    let broken = false
    const show = (): void => {
      if (!stop.signal.aborted) set(id, { kind: 'sending', sentBytes, broken }, true)
    }
    set(id, { kind: 'sending', sentBytes, broken })
    try {
      await uploadFile({
        serverId,
        directory,
        name,
        content,
        contentKey: `${sizeBytes}-${content.lastModified}`,
        overwrite,
        tickets,
        signal: stop.signal,
        onProgress(sent) {
          sentBytes = sent
          show()
        },
        onBreak(now) {
          broken = now
          show()
        },
      })
      set(id, { kind: 'done' })
      files.delete(id)
      onDone(upload)
    } catch (error) {
      if (stop.signal.aborted) return
      const taken =
        !overwrite &&
        error instanceof ApiError &&
        error.code === 'conflict' &&
        (await isThere(upload).catch(() => false))
      set(id, taken ? { kind: 'exists' } : { kind: 'failed', reason: errorText(error) })
    } finally {
      stops.delete(id)
      fill()
    }
  }

  const cancel = (id: number): void => {
    stops.get(id)?.abort(new Error('cancelled'))
    set(id, { kind: 'cancelled' })
  }
  return {
    add(serverId, directory, chosen, taken) {
      const added = chosen.map(({ name, file }): Upload => {
        const id = next++
        files.set(id, file)
        const state: UploadState = taken.has(name) ? { kind: 'exists' } : { kind: 'waiting', overwrite: false }
        return { id, serverId, directory, name, sizeBytes: file.size, state }
      })
      uploads = [...uploads.filter(({ state }) => state.kind !== 'done'), ...added]
      tell()
      fill()
    },
    retry(id, overwrite) {
      if (!files.has(id) || stops.has(id)) return
      set(id, { kind: 'waiting', overwrite })
      fill()
    },
    cancel,
    forget(id) {
      stops.get(id)?.abort(new Error('cancelled'))
      uploads = uploads.filter((upload) => upload.id !== id)
      files.delete(id)
      tell()
    },
    clear() {
      for (const { id, state } of uploads) if (isUnderWay(state)) cancel(id)
      uploads = []
      files.clear()
      tell()
    },
    all: () => uploads,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

export const isUnderWay = ({ kind }: UploadState): boolean => kind === 'waiting' || kind === 'sending'

/** How much of a file is over there. */
export const sentOf = ({ state, sizeBytes }: Upload): number =>
  state.kind === 'done' ? sizeBytes : state.kind === 'sending' ? state.sentBytes : 0
