import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../lib/fs.ts'

/** How commands on the same machine find the panel that runs on a data folder. */
const Instance = z.strictObject({
  url: z.url(),
  /** Makes the first set-up possible; null once somebody owns the panel. */
  setupSecret: z.string().nullable(),
})
export type Instance = z.output<typeof Instance>

const fileOf = (dataDir: string): string => join(dataDir, 'instance.json')

/** Tells where the panel of this data folder is. The file is for this user alone (0600). */
export async function writeInstance(dataDir: string, instance: Instance): Promise<void> {
  await writeFileAtomic(fileOf(dataDir), `${JSON.stringify(instance)}\n`)
}

/** For an orderly end. Idempotent; after a kill the file stays, and nothing answers at its address. */
export async function removeInstance(dataDir: string): Promise<void> {
  await rm(fileOf(dataDir), { force: true })
}

/** The panel that runs (or ran) on this data folder; null when none does. */
export async function readInstance(dataDir: string): Promise<Instance | null> {
  try {
    return Instance.parse(JSON.parse(await readFile(fileOf(dataDir), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`${fileOf(dataDir)} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
