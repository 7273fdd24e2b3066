import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rmdir, unlink } from 'node:fs/promises'
import { conflict } from '../../contract/errors.ts'
import type { Excluded } from './excluded.ts'

/**
 * Deletes everything under `root` but what is excluded, and the folders that this is in. Goes from open folder to name and
 * follows no link.
 */
export async function clearTree(root: string, excluded: Excluded, signal: AbortSignal): Promise<void> {
  await using folder = await open(root, folderFlags)
  await clearFolder(folder, empty, 1, excluded, signal)
}

/** Each level holds a folder open: deeper than any game goes, not so deep that the node runs out of open files. */
const depthMax = 200

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const empty = Buffer.alloc(0)
const slash = Buffer.from('/')

/** True where nothing was kept. */
async function clearFolder(
  folder: FileHandle,
  at: Buffer,
  depth: number,
  excluded: Excluded,
  signal: AbortSignal,
): Promise<boolean> {
  if (depth > depthMax)
    throw conflict(
      `There are more than ${depthMax} folders inside each other: delete the outermost of them and try again`,
    )
  const here = Buffer.from(`/proc/self/fd/${folder.fd}/`)
  let emptied = true
  for (const name of await readdir(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' })) {
    signal.throwIfAborted()
    const path = at.length === 0 ? name : Buffer.concat([at, slash, name])
    const real = Buffer.concat([here, name])
    const isFolder = (await lstat(real)).isDirectory()
    if (excluded(path.toString(), isFolder)) emptied = false
    else if (!isFolder) await unlink(real)
    else {
      await using inner = await open(real, folderFlags)
      if (await clearFolder(inner, path, depth + 1, excluded, signal)) await rmdir(real)
      else emptied = false
    }
  }
  return emptied
}
