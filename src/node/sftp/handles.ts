import type { Dir } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { conflict } from '../../contract/errors.ts'
import type { Growth } from './growth.ts'
import { handlesMax } from './limits.ts'

/** A file that a client holds open. */
export interface OpenFile {
  kind: 'file'
  path: string
  file: FileHandle
  reads: boolean
  writes: boolean
  append: boolean
  growth: Growth
  /** Gives up its part of that. */
  release(): void
  /** Something was written: told once, when it is closed. */
  changed: boolean
}

/** A folder that a client lists. */
export interface OpenFolder {
  kind: 'folder'
  path: string
  folder: FileHandle
  entries: Dir
}

export type Opened = OpenFile | OpenFolder

/** What one channel holds open: bounded, and closed with it. */
export class Handles implements AsyncDisposable {
  readonly #opened = new Map<number, Opened>()
  #next = 1

  /** Throws `conflict` before anything is opened that would be too much. */
  checkRoom(): void {
    if (this.#opened.size >= handlesMax)
      throw conflict(`At most ${handlesMax} files may be open at a time: close some first`)
  }

  add(opened: Opened): number {
    const handle = this.#next
    this.#next = (this.#next + 1) >>> 0
    this.#opened.set(handle, opened)
    return handle
  }

  get(handle: Buffer): Opened | null {
    return handle.length === 4 ? (this.#opened.get(handle.readUInt32BE(0)) ?? null) : null
  }

  /** Takes it out; null where there is none. */
  take(handle: Buffer): Opened | null {
    const opened = this.get(handle)
    if (opened) this.#opened.delete(handle.readUInt32BE(0))
    return opened
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#opened.values()]
    this.#opened.clear()
    for (const opened of all) await closeOpened(opened)
  }
}

export async function closeOpened(opened: Opened): Promise<void> {
  if (opened.kind === 'file') {
    opened.release()
    await opened.file.close()
  } else {
    await opened.entries.close().catch(() => undefined)
    await opened.folder.close()
  }
}
