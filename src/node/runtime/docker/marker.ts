import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../../lib/fs.ts'
import { serverFiles } from '../../runtime.ts'

/** What is known of the container of a server's folder. It is there from before the container is made until it has been removed. */
export const ContainerMarker = z.strictObject({
  name: z.string(),
  /** The boot of this machine during which it was made. */
  boot: z.string(),
  as: z.enum(['server', 'installation']),
  /** `begun`: its program was let go. `killed`: it was ended by us. */
  phase: z.enum(['made', 'begun', 'killed']),
  /** How it ended; its container may be gone. */
  end: z
    .strictObject({
      code: z.int().nullable(),
      signal: z.string().nullable(),
      outOfMemory: z.boolean(),
      machineRestarted: z.boolean(),
    })
    .nullable(),
})
export type ContainerMarker = z.output<typeof ContainerMarker>

/** Null where the folder's server does not run in a container, or its marker is broken. */
export async function readMarker(folder: string): Promise<ContainerMarker | null> {
  try {
    return ContainerMarker.parse(JSON.parse(await readFile(pathOf(folder), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export const writeMarker = (folder: string, marker: ContainerMarker): Promise<void> =>
  writeFileAtomic(pathOf(folder), JSON.stringify(marker))

export const removeMarker = (folder: string): Promise<void> => rm(pathOf(folder), { force: true })

const pathOf = (folder: string): string => join(folder, serverFiles.container)
