import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../lib/fs.ts'
import { removeTree } from '../runtime/remove-tree.ts'
import { serverFiles } from '../runtime.ts'
import { clearTree } from './clear.ts'
import { excludedBy } from './excluded.ts'

/**
 * A restore in two halves. First everything is unpacked and checked in `restore/new`, beside the server's files, which stay as
 * they are. Then `restore/swap.json` says that the files are being put into place; from there it only goes on, also after the node
 * was killed: `clearing` deletes what is to go, `placing` moves what is still in `new`, each file at once.
 */
const Swap = z.strictObject({
  version: z.literal(1),
  step: z.enum(['clearing', 'placing']),
  /** What a backup leaves out is not deleted either. */
  ignored: z.string(),
})
type Swap = z.output<typeof Swap>

/** An empty folder to unpack into, which `cover` makes count as the server's. What an earlier restore left half-unpacked is gone. */
export async function beginRestore(folder: string, cover: (path: string) => Promise<void>): Promise<string> {
  await removeTree(join(folder, serverFiles.restore))
  const fresh = join(folder, serverFiles.restore, 'new')
  await mkdir(dirname(fresh), { recursive: true, mode: 0o700 })
  await cover(dirname(fresh))
  await mkdir(fresh, { mode: 0o700 })
  return fresh
}

/** Everything is there: what is in the folder of `beginRestore` becomes the server's files. */
export async function swapIn(
  folder: string,
  { deleteOthers, ignored }: { deleteOthers: boolean; ignored: string },
  signal: AbortSignal,
): Promise<void> {
  await write(folder, { version: 1, step: deleteOthers ? 'clearing' : 'placing', ignored })
  await finishSwap(folder, signal)
}

/** Goes on with a swap that was begun; true where there was one. */
export async function finishSwap(folder: string, signal: AbortSignal): Promise<boolean> {
  const swap = await read(folder)
  if (!swap) return false
  const data = join(folder, serverFiles.data)
  if (swap.step === 'clearing') {
    await clearTree(data, excludedBy(swap.ignored), signal)
    await write(folder, { ...swap, step: 'placing' })
  }
  const trash = join(folder, serverFiles.restore, 'old')
  await mkdir(trash, { recursive: true, mode: 0o700 })
  await using from = await open(join(folder, serverFiles.restore, 'new'), folderFlags)
  await using to = await open(data, folderFlags)
  await place(from, to, new Trash(trash), signal)
  await endRestore(folder)
  return true
}

/** The space that is freed when what was unpacked takes the place of what is there, in bytes. */
export async function replacedBytes(folder: string, data: string): Promise<number> {
  await using from = await open(join(folder, serverFiles.restore, 'new'), folderFlags)
  await using to = await open(data, folderFlags)
  return await replaced(from, to)
}

/** Whether files have been moved and not all of them. */
export async function isSwapping(folder: string): Promise<boolean> {
  return (await read(folder)) !== null
}

/** Forgets a restore, whatever is left of it. */
export async function endRestore(folder: string): Promise<void> {
  await rm(markerOf(folder), { force: true })
  await removeTree(join(folder, serverFiles.restore))
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const markerOf = (folder: string): string => join(folder, serverFiles.restore, 'swap.json')
const write = (folder: string, swap: Swap): Promise<void> => writeFileAtomic(markerOf(folder), JSON.stringify(swap))

async function read(folder: string): Promise<Swap | null> {
  try {
    return Swap.parse(JSON.parse(await readFile(markerOf(folder), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Where things go that something of another kind replaces. */
class Trash {
  readonly #folder: string
  #count = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  async take(path: Buffer): Promise<void> {
    this.#count += 1
    // A killed node may have left one of this number.
    await removeTree(join(this.#folder, String(this.#count)))
    await rename(path, join(this.#folder, String(this.#count)))
  }
}

/** Goes from open folder to name and follows no link. A folder that is new moves as a whole; in one that is there, its entries. */
async function place(from: FileHandle, to: FileHandle, trash: Trash, signal: AbortSignal): Promise<void> {
  for (const name of await readdir(pathOf(from), { encoding: 'buffer' })) {
    signal.throwIfAborted()
    const source = within(from, name)
    const target = within(to, name)
    const fresh = await lstat(source)
    const there = await orMissing(lstat(target))
    if (fresh.isDirectory() && there?.isDirectory()) {
      await using inner = await open(source, folderFlags)
      await using outer = await open(target, folderFlags)
      await place(inner, outer, trash, signal)
      await outer.chmod(fresh.mode & 0o777)
      await outer.utimes(fresh.atimeMs / 1000, fresh.mtimeMs / 1000)
      await rmdir(source)
      continue
    }
    // A file over a file is one step; nothing goes over a folder, and a folder over nothing.
    if (there && (fresh.isDirectory() || there.isDirectory())) await trash.take(target)
    await rename(source, target)
  }
}

async function replaced(from: FileHandle, to: FileHandle): Promise<number> {
  let bytes = 0
  for (const name of await readdir(pathOf(from), { encoding: 'buffer' })) {
    const there = await orMissing(lstat(within(to, name)))
    if (there && !there.isDirectory()) bytes += there.blocks * blockBytes
    else if (there && (await lstat(within(from, name))).isDirectory()) {
      await using inner = await open(within(from, name), folderFlags)
      await using outer = await open(within(to, name), folderFlags)
      bytes += await replaced(inner, outer)
    }
  }
  return bytes
}

/** What `stat` counts in. */
const blockBytes = 512

async function orMissing<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

const pathOf = (folder: FileHandle): string => `/proc/self/fd/${folder.fd}`
const within = (folder: FileHandle, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${pathOf(folder)}/`), name])
