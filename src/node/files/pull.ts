import { lstat } from 'node:fs/promises'
import { AppError, conflict } from '../../contract/errors.ts'
import type { NodePull } from '../../contract/node-files.ts'
import { isPublicAddress, openUrl } from '../../http/index.ts'
import type { Clock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import { pullKeptMs, pullsMax } from './limits.ts'
import { openPlace, partsOf } from './place.ts'
import { exists, type ServerFiles } from './server-files.ts'

/** Fetches URLs into one server's files, a few at a time. */
export class Pulls implements AsyncDisposable {
  readonly #files: ServerFiles
  readonly #clock: Clock
  readonly #isReachable: (address: string) => boolean
  readonly #pulls = new Map<string, { pull: NodePull; endedAt: number | null }>()
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<void>>()

  /** @param isReachable which addresses may be dialled: public ones unless given. */
  constructor(files: ServerFiles, clock: Clock, isReachable: (address: string) => boolean = isPublicAddress) {
    this.#files = files
    this.#clock = clock
    this.#isReachable = isReachable
  }

  list(): NodePull[] {
    for (const [id, { endedAt }] of this.#pulls)
      if (endedAt !== null && this.#clock.now() - endedAt > pullKeptMs) this.#pulls.delete(id)
    return [...this.#pulls.values()].map(({ pull }) => pull)
  }

  /** Accepts or refuses at once; `list` tells what becomes of it. */
  async start(url: string, path: string): Promise<NodePull> {
    if (this.list().filter(({ state }) => state === 'running').length >= pullsMax)
      throw conflict(`${pullsMax} URLs are being fetched for this server; wait until one is done`)
    if (partsOf(path).length === 0) throw conflict('The file needs a name')
    {
      await using place = await openPlace(this.#files.root, path, { create: true })
      if (await lstat(place.path).catch(() => null)) throw exists(path)
    }
    const pull: NodePull = {
      id: newShortId(),
      file: path,
      state: 'running',
      bytesDone: 0,
      bytesTotal: null,
      message: null,
    }
    const entry = { pull, endedAt: null as number | null }
    this.#pulls.set(pull.id, entry)
    const work: Promise<void> = this.#fetch(pull, new URL(url), path)
      .then(
        () => {
          pull.state = 'done'
        },
        (error: unknown) => {
          pull.state = 'failed'
          pull.message = wordsOf(error)
        },
      )
      .finally(() => {
        entry.endedAt = this.#clock.now()
        this.#running.delete(work)
      })
    this.#running.add(work)
    return { ...pull }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(conflict('The node is stopping'))
    await Promise.all([...this.#running])
  }

  async #fetch(pull: NodePull, url: URL, path: string): Promise<void> {
    const response = await openUrl(url, this.#isReachable, this.#closing.signal)
    try {
      const length = Number(response.headers['content-length'])
      pull.bytesTotal = Number.isSafeInteger(length) && length >= 0 ? length : null
      const counted = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          pull.bytesDone += chunk.length
          yield chunk
        }
      }
      await this.#files.write(path, counted(), { overwrite: false, expectedBytes: pull.bytesTotal ?? 0 })
    } finally {
      response.destroy()
    }
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof AppError) return error.message
  const { code, cause } = error as NodeJS.ErrnoException
  if (cause instanceof AppError) return cause.message
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'The name in the URL is not known'
  if (code === 'ECONNREFUSED') return 'Nothing listens at that URL'
  return 'The connection broke off'
}
