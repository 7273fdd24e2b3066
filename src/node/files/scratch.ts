import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { newShortId } from '../../lib/ids.ts'
import { uploadIdleMs } from './limits.ts'

/**
 * Where things are made before they are moved into a server's files as a whole: beside them on the same file system, out of the
 * server's reach. What a killed node left here is nobody's, but for uploads, which their senders continue.
 */
export class Scratch {
  readonly #path: string
  readonly #uploads: string
  readonly #cover: (folder: string) => Promise<void>
  #ready: Promise<unknown> | null = null

  /** @param cover makes what is in a new folder count as the server's. */
  constructor(serverFolder: string, cover: (folder: string) => Promise<void> = async () => undefined) {
    this.#cover = cover
    this.#path = join(serverFolder, 'scratch')
    this.#uploads = join(serverFolder, 'uploads')
  }

  /** A new path in it. Whoever takes it removes it, or moves it away. */
  async next(): Promise<string> {
    await this.#open()
    return join(this.#path, newShortId() + newShortId())
  }

  async upload(id: string): Promise<string> {
    await this.#open()
    return join(this.#uploads, id)
  }

  /** Unfinished uploads, those that have been left alone for too long thrown away. */
  async uploadsNow(now: number): Promise<number> {
    await this.#open()
    let count = 0
    for (const name of await readdir(this.#uploads)) {
      const path = join(this.#uploads, name)
      const facts = await stat(path).catch(() => null)
      if (!facts) continue
      if (now - facts.mtimeMs > uploadIdleMs) await rm(path, { force: true })
      else count += 1
    }
    return count
  }

  #open(): Promise<unknown> {
    this.#ready ??= (async () => {
      await rm(this.#path, { recursive: true, force: true })
      for (const folder of [this.#path, this.#uploads]) {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await chmod(folder, 0o700)
        await this.#cover(folder)
      }
    })()
    return this.#ready
  }
}
