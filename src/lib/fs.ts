import { open, rename, rm } from 'node:fs/promises'
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
