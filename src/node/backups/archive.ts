import { fstatSync, type Stats } from 'node:fs'
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
const pieceBytes = 512 * 1024

/** Up to this size a file is read ahead of its turn, in bytes: most files of a game are small, and what they cost is waiting. */
const smallBytes = 64 * 1024

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
  const pieces = new Pieces()
  await using opened = new OpenedAhead(walkTree(root, excluded, (path) => note(tally.tooDeep, path)))
  for await (const { found, file } of opened.entries()) {
    check()
    if (found.kind !== 'file') {
      yield* pieces.add(tarHeader({ ...found, sizeBytes: 0 }))
      continue
    }
    if (!file) {
      note(tally.vanished, found.path)
      continue
    }
    try {
      yield* fileEntry(found, file, pieces, tally, check)
    } finally {
      await file.handle?.close()
    }
    tally.files += 1
  }
  yield* pieces.add(tarEnd)
  yield* pieces.rest()
}

async function* fileEntry(
  found: Found & { kind: 'file' },
  file: OpenedFile,
  pieces: Pieces,
  tally: ArchiveTally,
  check: () => void,
): AsyncGenerator<Buffer, void, void> {
  const { before } = file
  const sizeBytes = before.size
  yield* pieces.add(
    tarHeader({ ...found, mode: before.mode & 0o777, modifiedSeconds: before.mtimeMs / 1000, sizeBytes }),
  )
  let left = sizeBytes
  if (file.handle === null) {
    left -= file.content.length
    tally.bytes += file.content.length
    check()
    yield* pieces.add(file.content)
  } else
    while (left > 0) {
      if (pieces.room < Math.min(left, smallBytes)) yield* pieces.rest()
      const bytesRead = await pieces.read(file.handle, left)
      if (bytesRead === 0) break
      left -= bytesRead
      tally.bytes += bytesRead
      check()
    }
  const shrunk = left > 0
  for (; left > 0; left -= Math.min(left, pieceBytes)) {
    check()
    yield* pieces.add(Buffer.alloc(Math.min(left, pieceBytes)))
  }
  const after = file.handle === null ? file.after : fstatSync(file.handle.fd)
  if (shrunk || after.size !== sizeBytes || after.mtimeMs !== before.mtimeMs) note(tally.changed, found.path)
  yield* pieces.add(tarPadding(sizeBytes))
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
  file: OpenedFile | null
}

/** A large file is open, a small one has been read and is closed. Its facts are those of before and after that. */
type OpenedFile = { before: Stats; handle: FileHandle } | { before: Stats; handle: null; content: Buffer; after: Stats }

async function openAhead(found: Found & { kind: 'file' }): Promise<OpenedFile | null> {
  const handle = await found.open()
  if (!handle) return null
  // The facts of an open file are in memory: no disk is waited for.
  const before = fstatSync(handle.fd)
  if (before.size > smallBytes) return { before, handle }
  try {
    const content = Buffer.allocUnsafe(before.size)
    let at = 0
    while (at < content.length) {
      const { bytesRead } = await handle.read(content, at, content.length - at, null)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return { before, handle: null, content: content.subarray(0, at), after: fstatSync(handle.fd) }
  } finally {
    await handle.close()
  }
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
    for (const opening of this.#ahead.splice(0)) await (await opening.catch(() => null))?.file?.handle?.close()
  }

  #open(found: Found): void {
    const opening =
      found.kind === 'file'
        ? openAhead(found).then((file) => ({ found, file }))
        : Promise.resolve<Opened>({ found, file: null })
    // Its reader gets the error when its turn comes.
    opening.catch(() => undefined)
    this.#ahead.push(opening)
  }
}

/** Gathers an archive in large pieces: each byte is read or copied once to where it stays. */
class Pieces {
  #buffer = Buffer.allocUnsafe(pieceBytes)
  #used = 0

  /** Bytes that the piece can still take. */
  get room(): number {
    return pieceBytes - this.#used
  }

  /** Yields what has become full. */
  *add(part: Buffer): Generator<Buffer, void, void> {
    for (let at = 0; at < part.length; ) {
      if (this.room === 0) yield* this.rest()
      const copied = part.copy(this.#buffer, this.#used, at)
      at += copied
      this.#used += copied
    }
  }

  /** Reads what comes next in the file, up to `bytesMax`, if there is room; 0 at its end. */
  async read(file: FileHandle, bytesMax: number): Promise<number> {
    const { bytesRead } = await file.read(this.#buffer, this.#used, Math.min(bytesMax, this.room), null)
    this.#used += bytesRead
    return bytesRead
  }

  *rest(): Generator<Buffer, void, void> {
    if (this.#used === 0) return
    const piece = this.#buffer.subarray(0, this.#used)
    this.#buffer = Buffer.allocUnsafe(pieceBytes)
    this.#used = 0
    yield piece
  }
}

function note(names: Names, path: Buffer): void {
  names.count += 1
  if (names.some.length < namesMax) names.some.push(path.toString())
}
