import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { newShortId } from './ids.ts'

/**
 * Replaces `path` as a whole: a reader sees the old bytes or the new ones, also after a power cut in the middle.
 * The file is private (0600) unless `mode` says otherwise.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${newShortId()}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * What is in the file `path`. Where it is missing it is made with `content`, as a whole and once: of several that do so at the
 * same moment one makes it, and all of them get what it made. The file is private (0600).
 */
export async function createFileOnce(path: string, content: () => string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const temporary = `${path}.${newShortId()}.tmp`
  try {
    const made = content()
    await writeFileAtomic(temporary, made)
    // A hard link, unlike a rename, never replaces.
    await link(temporary, path)
    return made
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return await readFile(path, 'utf8')
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}
