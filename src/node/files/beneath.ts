import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { AppError, invalidRequest } from '../../contract/errors.ts'
import { newShortId } from '../../lib/ids.ts'
import type { Owner } from '../runtime.ts'

/**
 * Files inside a server's folder, which the server may change at any moment and in the worst way. Every step goes from an
 * open directory to a name in it (`/proc/self/fd/N/name`) and follows no symbolic link, so nothing can lead outside.
 */

/** A path longer than this is nobody's file, in bytes: the kernel's own limit (PATH_MAX). */
const pathBytesMax = 4096

/**
 * Writes a file as a whole: a reader sees the old content or the new. Missing folders are made. What is new belongs to `owner`.
 * @param root the server's folder; @param path relative to it, with `/` between the parts.
 * @returns false when `once` is set and something of that name is there already.
 */
export async function writeBeneath(
  root: string,
  path: string,
  content: string,
  options: { owner: Owner | null; once: boolean },
): Promise<boolean> {
  const parts = partsOf(path)
  const name = parts.pop() ?? ''
  await using folder = await openFolder(root, parts, options.owner)
  const target = `/proc/self/fd/${folder.fd}/${name}`
  if (options.once && (await exists(target))) return false
  const temporary = `/proc/self/fd/${folder.fd}/.${newShortId()}.tmp`
  try {
    const file = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o644,
    )
    try {
      await file.writeFile(content)
      if (options.owner) await file.chown(options.owner.uid, options.owner.gid)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
    return true
  } catch (error) {
    await rm(temporary, { force: true })
    throw writeError(path, error)
  }
}

/** Splits a path and refuses what is not plainly beneath: it is never repaired. */
function partsOf(path: string): string[] {
  const parts = path.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))
  if (bad || Buffer.byteLength(path) > pathBytesMax)
    throw invalidRequest('path', `${JSON.stringify(path)} is not a plain path inside the server's folder`)
  return parts
}

async function openFolder(root: string, parts: readonly string[], owner: Owner | null): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  let folder = await open(root, flags)
  for (const [index, part] of parts.entries()) {
    const here = folder
    const path = `/proc/self/fd/${here.fd}/${part}`
    try {
      const made = await mkdir(path, 0o755).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false
          throw error
        },
      )
      folder = await open(path, flags)
      if (made && owner) await folder.chown(owner.uid, owner.gid)
    } catch (error) {
      throw writeError(parts.slice(0, index + 1).join('/'), error)
    } finally {
      await here.close()
    }
  }
  return folder
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function writeError(path: string, error: unknown): Error {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError(
        'conflict',
        `${path} could not be written: the disk of this node is full; free some space and try again`,
        { cause: error },
      )
    case 'ELOOP':
    case 'ENOTDIR':
      return new AppError(
        'conflict',
        `${path} could not be written: a part of it is a symbolic link or not a folder; remove that and try again`,
        { cause: error },
      )
    case 'EISDIR':
    case 'ENOTEMPTY':
    case 'EEXIST':
      return new AppError(
        'conflict',
        `${path} could not be written: there is a folder of that name; remove it and try again`,
        { cause: error },
      )
    default:
      return error instanceof Error ? error : new Error(String(error))
  }
}
