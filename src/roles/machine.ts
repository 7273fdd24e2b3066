import { mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { conflict } from '../contract/errors.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import { newUuid } from '../lib/ids.ts'

/** What tells the machines apart that run `pharos up`. */
export interface Machine {
  /** Of its data folder: the same at every start, and after a backup of the instance was put back. */
  id: string
  hostname: string
}

/** Reads which machine this is; the first start in a data folder decides that. Whoever calls holds the folder. */
export async function thisMachine(dataDir: string): Promise<Machine> {
  const folder = join(dataDir, 'node')
  const file = join(folder, 'machine')
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (known !== null) {
    const id = z.uuid().safeParse(known.trim())
    if (!id.success)
      throw conflict(`${file} is damaged: it must hold one UUID. Put it back from a backup of the instance.`)
    return { id: id.data, hostname: hostname() }
  }
  const id = newUuid()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFileAtomic(file, `${id}\n`)
  return { id, hostname: hostname() }
}
