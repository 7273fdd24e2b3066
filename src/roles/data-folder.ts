import { existsSync } from 'node:fs'
import { AppError, conflict } from '../contract/errors.ts'
import { FolderHeld, lockFolder } from '../lib/folder-lock.ts'
import { unfinishedRestoreFile } from '../lib/unfinished-restore.ts'

/**
 * Makes the data folder and holds it for this process until disposed. Throws `conflict` while another process holds it; one
 * that was killed does not.
 * @param role who holds it: `up` or a single role; each role has a folder of its own
 */
export async function holdDataFolder(dataDir: string, role: string): Promise<AsyncDisposable> {
  if (existsSync(unfinishedRestoreFile(dataDir)))
    throw conflict(
      `A restore into ${dataDir} did not finish, so it holds parts of two instances. Run "pharos restore" with --replace once more.`,
    )
  try {
    return await lockFolder(dataDir, role)
  } catch (cause) {
    if (!(cause instanceof FolderHeld)) throw unusable(dataDir, cause)
    throw cause.pid === null
      ? conflict(`The data folder ${dataDir} is being taken by another start.`)
      : conflict(
          `The data folder ${dataDir} is in use by process ${cause.pid}. Stop that one first, or choose another folder with --data-dir.`,
        )
  }
}

const unusable = (dataDir: string, cause: unknown): AppError =>
  new AppError(
    'forbidden',
    `The data folder ${dataDir} cannot be written (${(cause as Error).message}). Choose another one with --data-dir.`,
    { cause },
  )
