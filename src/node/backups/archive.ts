import type { FileHandle } from 'node:fs/promises'
import type { Excluded } from './excluded.ts'
import { tarEnd, tarHeader, tarPadding } from './tar.ts'
import { type Found, walkTree } from './tree.ts'

/** How far an archive is, and what was odd about its files. Written while it is made. */
export interface ArchiveTally {
  files: number
  bytes: number
  /** Became shorter, longer or newer while they were read. */
  changed: Names
  /** Gone, or something else, when their turn came. */
  vanished: Names
  /** Folders so deep inside each other that what they hold is left out. */
  tooDeep: Names
}

export interface Names {
  count: number
  /** The first few. */
  some: string[]
}

export const newTally = (): ArchiveTally => ({
  files: 0,
  bytes: 0,
  changed: { count: 0, some: [] },
  vanished: { count: 0, some: [] },
  tooDeep: { count: 0, some: [] },
})

/** Bytes that are handed on together: small files and their headers would otherwise each cost a trip through the compressor. */
const pieceBytes = 256 * 1024

/** Files that are opened ahead of their turn: opening costs several trips to the thread pool, which overlap. */
const aheadMax = 16

/** How many names of odd files are told. */
const namesMax = 5

/**
 * The bytes of a tar archive of everything under `root` but what is excluded, read while a game may be writing it: a file that shrinks is filled
 * up with zeros, one that grows is cut off where it ended when it was opened, one that vanishes is left out.
 * @throws what `check` throws; it is asked after each file with the bytes so far.
 */
export async function* archiveOf(
  root: string,
  excluded: Excluded,
  tally: ArchiveTally,
  check: () => void,
): AsyncGenerator<Buffer, void, void> {
  const gathered = new Gathered()
  await using opened = new OpenedAhead(walkTree(root, excluded, (path) => note(tally.tooDeep, path)))
  for await (const { found, file } of opened.entries()) {
    check()
    if (found.kind !== 'file') {
      yield* gathered.add(tarHeader({ ...found, sizeBytes: 0 }))
      continue
    }
    if (!file) {
      note(tally.vanished, found.path)
      continue
    }
    try {
      for await (const piece of fileEntry(found, file, tally, check)) yield* gathered.add(piece)
    } finally {
      await file.close()
    }
    tally.files += 1
  }
  yield* gathered.add(tarEnd)
  yield* gathered.rest()
}

async function* fileEntry(
  found: Found & { kind: 'file' },
  file: FileHandle,
  tally: ArchiveTally,
  check: () => void,
): AsyncGenerator<Buffer, void, void> {
  const before = await file.stat()
  const sizeBytes = before.size
  yield tarHeader({ ...found, mode: before.mode & 0o777, modifiedSeconds: before.mtimeMs / 1000, sizeBytes })
  let left = sizeBytes
  while (left > 0) {
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, left))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    left -= bytesRead
    tally.bytes += bytesRead
    check()
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead)
  }
  const shrunk = left > 0
  for (; left > 0; left -= Math.min(left, pieceBytes)) {
    check()
    yield Buffer.alloc(Math.min(left, pieceBytes))
  }
  const after = await file.stat()
  if (shrunk || after.size !== sizeBytes || after.mtimeMs !== before.mtimeMs) note(tally.changed, found.path)
  yield tarPadding(sizeBytes)
}

/** Bytes of files under `root` that are not excluded, as far as can be told now. */
export async function measureTree(root: string, excluded: Excluded, check: (bytes: number) => void): Promise<number> {
  let bytes = 0
  for await (const found of walkTree(root, excluded, () => undefined)) {
    if (found.kind === 'file') bytes += found.sizeBytes
    check(bytes)
  }
  return bytes
}

interface Opened {
  found: Found
  file: FileHandle | null
}

/** Walks ahead of its reader and has the next few files open. */
class OpenedAhead implements AsyncDisposable {
  readonly #walk: AsyncGenerator<Found, void, void>
  readonly #ahead: Promise<Opened>[] = []

  constructor(walk: AsyncGenerator<Found, void, void>) {
    this.#walk = walk
  }

  async *entries(): AsyncGenerator<Opened, void, void> {
    for (let more = true; more || this.#ahead.length > 0; ) {
      while (more && this.#ahead.length < aheadMax) {
        const next = await this.#walk.next()
        if (next.done) more = false
        else this.#open(next.value)
      }
      const first = this.#ahead.shift()
      if (first) yield await first
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#walk.return()
    for (const opening of this.#ahead.splice(0)) await (await opening.catch(() => null))?.file?.close()
  }

  #open(found: Found): void {
    const opening =
      found.kind === 'file'
        ? found.open().then((file) => ({ found, file }))
        : Promise.resolve<Opened>({ found, file: null })
    // Its reader gets the error when its turn comes.
    opening.catch(() => undefined)
    this.#ahead.push(opening)
  }
}

/** Joins small buffers; large ones pass. */
class Gathered {
  #parts: Buffer[] = []
  #bytes = 0;

  *add(part: Buffer): Generator<Buffer, void, void> {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#bytes += part.length
    if (this.#bytes >= pieceBytes) yield* this.rest()
  }

  *rest(): Generator<Buffer, void, void> {
    if (this.#bytes === 0) return
    const [only] = this.#parts
    const joined = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts, this.#bytes)
    this.#parts = []
    this.#bytes = 0
    yield joined
  }
}

function note(names: Names, path: Buffer): void {
  names.count += 1
  if (names.some.length < namesMax) names.some.push(path.toString())
}
