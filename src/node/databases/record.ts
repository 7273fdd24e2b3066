import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { Port } from '../../contract/fields.ts'
import { writeFileAtomic } from '../../lib/fs.ts'

/** What the node must still know of its MariaDB after it was killed. The file is the node's alone (0600). */
export const MariadbRecord = z.strictObject({
  version: z.literal(1),
  /** Of the administrator, whom nobody but the node is. */
  password: z.string().regex(/^[A-Za-z0-9_-]{32}$/),
  /** Chosen at the first start. */
  port: Port.nullable(),
  /** The data folder is complete. */
  initialised: z.boolean(),
  /** There may be databases: it is kept running, and started again with the node. */
  wanted: z.boolean(),
})
export type MariadbRecord = z.output<typeof MariadbRecord>

export async function readMariadbRecord(path: string): Promise<MariadbRecord | null> {
  try {
    return MariadbRecord.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`${path} is damaged: the node cannot get at its databases without it`, { cause: error })
  }
}

export const writeMariadbRecord = (path: string, record: MariadbRecord): Promise<void> =>
  writeFileAtomic(path, JSON.stringify(record))
