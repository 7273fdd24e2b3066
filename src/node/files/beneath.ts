import { constants } from 'node:fs'
import { lstat, open, rename, rm } from 'node:fs/promises'
import { forbidden } from '../../contract/errors.ts'
import { newShortId } from '../../lib/ids.ts'
import type { Owner } from '../runtime.ts'
import { openError, openPlace, pathOfFolder, quoted } from './place.ts'

/**
 * Writes a file as a whole: a reader sees the old content or the new. Missing folders are made. What is new belongs to `owner`.
 * @param root the server's folder; @param path relative to it, with `/` between the parts.
 * @returns false when `once` is set and something of that name is there already.
 */
export async function writeBeneath(
  root: string,
  path: string,
  content: string | Uint8Array,
  options: { owner: Owner | null; once: boolean },
): Promise<boolean> {
  if (path === '' || path.startsWith('/')) throw forbidden(`${quoted(path)} is not a path inside the server's folder`)
  // No absolute link is followed: a template's file belongs where the template says.
  await using place = await openPlace({ path: root, home: '\0', owner: options.owner }, path, { create: true })
  if (options.once && (await exists(place.path))) return false
  const temporary = `${pathOfFolder(place.folder)}/.${newShortId()}.tmp`
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
    await rename(temporary, place.path)
    return true
  } catch (error) {
    await rm(temporary, { force: true })
    throw openError(path, error)
  }
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
