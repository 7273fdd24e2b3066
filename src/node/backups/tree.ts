import { constants, fstatSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, opendir, readlink } from 'node:fs/promises'
import type { Excluded } from './excluded.ts'

/**
 * Reads a folder that its owner changes at any moment and in the worst way. Every step goes from an open folder to a name in it
 * (`/proc/self/fd/N/name`) and follows no link, so nothing outside is ever opened. What vanishes on the way is left out.
 */

export type Found =
  | { kind: 'folder'; path: Buffer; mode: number; modifiedSeconds: number }
  | { kind: 'link'; path: Buffer; mode: number; modifiedSeconds: number; target: Buffer }
  | {
      kind: 'file'
      path: Buffer
      mode: number
      modifiedSeconds: number
      sizeBytes: number
      /**
       * To be called before the next entry is asked for. Null where it cannot be opened any more, or has become something
       * else. Whoever opens it closes it.
       */
      open(): Promise<FileHandle | null>
    }

/** Folders inside folders: far beyond what any game makes, few enough that the open ones do not exhaust a process's files. */
const depthMax = 200

/**
 * Everything under `root` but what is excluded, folders before what is in them. Sockets, pipes and devices are passed over: they hold
 * nothing. `tooDeep` is told of folders whose content is left out, `leftOut` of what is excluded or passed over.
 */
export async function* walkTree(
  root: string,
  excluded: Excluded,
  tooDeep: (path: Buffer) => void,
  leftOut: (path: Buffer) => void = () => undefined,
): AsyncGenerator<Found, void, void> {
  await using folder = await open(root, folderFlags)
  yield* walkFolder(folder, empty, 1, { excluded, tooDeep, leftOut })
}

interface Visitor {
  excluded: Excluded
  tooDeep(path: Buffer): void
  leftOut(path: Buffer): void
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** NONBLOCK: opening a pipe that took the file's place must not wait for its other end. */
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const empty = Buffer.alloc(0)
const slash = Buffer.from('/')

async function* walkFolder(
  folder: FileHandle,
  at: Buffer,
  depth: number,
  visitor: Visitor,
): AsyncGenerator<Found, void, void> {
  const { excluded, tooDeep, leftOut } = visitor
  const here = Buffer.from(`/proc/self/fd/${folder.fd}/`)
  const opening = new Opening()
  try {
    for await (const { name, real, stat } of entriesOf(folder, here, opening)) {
      const path = at.length === 0 ? name : Buffer.concat([at, slash, name])
      if (excluded(path.toString(), stat.isDirectory())) {
        leftOut(path)
        continue
      }
      const facts = { path, mode: stat.mode & 0o777, modifiedSeconds: stat.mtimeMs / 1000 }
      if (stat.isFile()) {
        yield { kind: 'file', ...facts, sizeBytes: stat.size, open: () => opening.track(() => openFile(real)) }
      } else if (stat.isSymbolicLink()) {
        const target = await orGone(readlink(real, { encoding: 'buffer' }))
        if (target) yield { kind: 'link', ...facts, target }
      } else if (stat.isDirectory()) {
        const inner = await orGone(open(real, folderFlags))
        if (!inner) continue
        try {
          yield { kind: 'folder', ...facts }
          if (depth >= depthMax) tooDeep(path)
          else yield* walkFolder(inner, path, depth + 1, visitor)
        } finally {
          await inner.close()
        }
      } else leftOut(path)
    }
  } finally {
    // The folder's descriptor may be closed now, and its number become another folder's.
    await opening.settled()
  }
}

interface Entry {
  name: Buffer
  /** Through its open folder. */
  real: Buffer
  stat: Stats
}

/** Entries whose facts are asked for at the same time: each is a trip to the thread pool, and together they overlap. */
const statsAtOnce = 32

async function* entriesOf(folder: FileHandle, here: Buffer, opening: Opening): AsyncGenerator<Entry, void, void> {
  let asked: Promise<Entry | null>[] = []
  for await (const name of namesIn(folder)) {
    const real = Buffer.concat([here, name])
    const found = opening.track(() => orGone(lstat(real))).then((stat) => stat && { name, real, stat })
    // It is met when its turn comes.
    found.catch(() => undefined)
    asked.push(found)
    if (asked.length < statsAtOnce) continue
    for (const entry of await Promise.all(asked)) if (entry) yield entry
    asked = []
  }
  for (const entry of await Promise.all(asked)) if (entry) yield entry
}

/** What is on its way by the number of a folder's descriptor. */
class Opening {
  readonly #pending = new Set<Promise<unknown>>()
  #over = false

  track<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#over) throw new Error('opened after its folder was left')
    const opened = begin()
    const settled: Promise<unknown> = opened.catch(() => undefined).finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
    return opened
  }

  async settled(): Promise<void> {
    this.#over = true
    await Promise.all([...this.#pending])
  }
}

/** The names as bytes: a file system knows no other spelling. */
async function* namesIn(folder: FileHandle): AsyncGenerator<Buffer, void, void> {
  // The declared types know no `buffer` here; the names come as bytes.
  const options = { encoding: 'buffer', bufferSize: 256 } as unknown as { bufferSize: number }
  const listing = await opendir(`/proc/self/fd/${folder.fd}`, options)
  for await (const { name } of listing) yield name as unknown as Buffer
}

async function openFile(path: Buffer): Promise<FileHandle | null> {
  const file = await orGone(open(path, fileFlags))
  if (!file) return null
  // The facts of an open file are in memory.
  if (fstatSync(file.fd).isFile()) return file
  await file.close()
  return null
}

/** What the owner has removed or replaced since it was listed is not there. */
async function orGone<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && goneCodes.has(code)) return null
    throw error
  }
}

/** EINVAL: no link any more. ENXIO: a pipe or a socket now. EACCES: only a node that is not root meets it. */
const goneCodes = new Set(['ENOENT', 'ELOOP', 'ENOTDIR', 'EINVAL', 'ENXIO', 'EACCES', 'EPERM'])
