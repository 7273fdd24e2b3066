import {
  chmodSync,
  closeSync,
  constants,
  futimesSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { type Job, Refused, shown, type Unpacked } from './job.ts'
import { entryParts, isAscii } from './names.ts'

/** What an entry is beside its name. */
export interface Facts {
  mode: number
  /** Seconds since 1970; null where nobody says. */
  modified: number | null
}

/**
 * The folder that is filled: the working folder, which was empty and is nobody else's. It knows what it has made, so no entry can
 * reach through another one. Everything happens at once, without waiting: this process does nothing else, and a trip through the
 * thread pool costs more than making a small file. Names are strings of one character for each byte.
 */
export class Target {
  files = 0
  bytes = 0
  readonly #job: Job
  readonly #made = new Map<string, 'folder' | 'file' | 'link'>()
  /** What folders are to become when nothing more is put into them. */
  readonly #folderFacts = new Map<string, Facts>()
  readonly #wanted: Map<string, { text: string; found: boolean }> | null
  #open: { fd: number; modified: number | null } | null = null
  #entries = 0

  constructor(job: Job) {
    this.#job = job
    this.#wanted =
      job.only === null
        ? null
        : new Map(
            job.only.map((text) => [Buffer.from(text).toString('latin1').replace(/\/+$/, ''), { text, found: false }]),
          )
  }

  get job(): Job {
    return this.#job
  }

  /** Whether an entry of this name is asked for. */
  wants(name: string): boolean {
    if (!this.#wanted) return true
    const parts = this.#parts(name)
    for (let end = 1; end <= parts.length; end += 1) {
      const wanted = this.#wanted.get(parts.slice(0, end).join('/'))
      if (!wanted) continue
      wanted.found = true
      return true
    }
    return false
  }

  /** Begins a file; `write` and `endFile` follow. */
  file(name: string, { mode, modified }: Facts): void {
    const path = this.#enter(name, 'file')
    // Bits that let others act as this user are not for an archive to give.
    const permissions = this.#job.faithful ? mode & 0o777 : (mode & 0o777) | 0o600
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    this.#open = { fd: openSync(pathOf(path), flags, permissions), modified }
  }

  write(chunk: Uint8Array): void {
    const fd = this.#open?.fd
    if (fd === undefined) throw new Error('content without a file')
    this.bytes += chunk.length
    if (this.bytes > this.#job.bytesMax) throw new Refused(this.#job.tooLarge)
    for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
  }

  endFile(): void {
    if (!this.#open) return
    const { fd, modified } = this.#open
    this.#open = null
    if (this.#job.faithful && modified !== null) futimesSync(fd, modified, modified)
    closeSync(fd)
    this.files += 1
  }

  folder(name: string, facts: Facts): void {
    const parts = this.#parts(name)
    if (parts.length === 0) return
    this.#folders(parts)
    if (this.#job.faithful) this.#folderFacts.set(parts.join('/'), facts)
  }

  /** Unless the archive is faithful, a link may lead up and then down inside, and to nothing else. */
  link(name: string, to: string, { modified }: Facts): void {
    const path = this.#enter(name, 'link')
    if (to === '' || to.includes('\0')) throw new Refused(`${shown(name)} is a link to nowhere`)
    if (!this.#job.faithful) {
      const steps = to.split('/')
      const up = steps.findIndex((step) => step !== '..')
      const climbs = up === -1 ? steps.length : up
      const isPlain = !to.startsWith('/') && !steps.slice(climbs).includes('..')
      if (!isPlain || climbs > path.split('/').length - 1)
        throw new Refused(`${shown(name)} is a link that leads out of the folder, to ${shown(to)}`)
    }
    symlinkSync(pathOf(to, ''), pathOf(path))
    if (this.#job.faithful && modified !== null) lutimesSync(pathOf(path), modified, modified)
  }

  hardLink(name: string, to: string): void {
    const source = this.#parts(to).join('/')
    if (this.#made.get(source) !== 'file')
      throw new Refused(`${shown(name)} is a link to ${shown(to)}, which is not a file of this archive`)
    const path = this.#enter(name, 'file')
    linkSync(pathOf(source), pathOf(path))
    this.files += 1
  }

  /** Everything has come. */
  end(): Unpacked {
    for (const { text, found } of this.#wanted?.values() ?? [])
      if (!found) throw new Refused(`The backup does not hold ${text}`)
    // What is inside comes after its folder, so backwards nothing changes a folder's time again.
    for (const [path, { mode, modified }] of [...this.#folderFacts].reverse()) {
      // Its owner must still be able to remove what is in it.
      chmodSync(pathOf(path), (mode & 0o777) | 0o700)
      if (modified !== null) utimesSync(pathOf(path), modified, modified)
    }
    return { files: this.files, bytes: this.bytes }
  }

  #enter(name: string, kind: 'file' | 'link'): string {
    const parts = this.#parts(name)
    const path = parts.join('/')
    if (parts.length === 0 || this.#made.has(path)) throw new Refused(`${shown(name)} is in the archive twice`)
    this.#folders(parts.slice(0, -1))
    this.#count()
    this.#made.set(path, kind)
    return path
  }

  #folders(parts: readonly string[]): void {
    let path = ''
    for (const part of parts) {
      path = path === '' ? part : `${path}/${part}`
      const made = this.#made.get(path)
      if (made === 'folder') continue
      if (made) throw new Refused(`${shown(path)} is in the archive twice: once as a folder`)
      this.#count()
      this.#made.set(path, 'folder')
      mkdirSync(pathOf(path), 0o755)
    }
  }

  #count(): void {
    this.#entries += 1
    if (this.#entries > this.#job.entriesMax) throw new Refused(this.#job.tooMany)
  }

  #parts(name: string): string[] {
    return entryParts(name, this.#job)
  }
}

/** What the file system takes: bytes as they are. `before` keeps a name from being read as anything else. */
const pathOf = (path: string, before = './'): string | Buffer =>
  isAscii(path) ? before + path : Buffer.from(before + path, 'latin1')
