import { readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../../lib/fs.ts'
import { AskedTunnel, transports } from './messages.ts'

const KeptTunnel = z.strictObject({
  panel: z.url({ protocol: /^https?$/ }),
  /** Left out where it is the account file's: then a new key there is used, and none is kept twice. */
  key: z.string().min(1).max(512).optional(),
  transport: z.enum(transports),
  tunnel: AskedTunnel,
})
export type KeptTunnel = z.output<typeof KeptTunnel>

const KeptFile = z.strictObject({ version: z.literal(1), tunnels: z.array(KeptTunnel) })

/** The tunnels that are to come back. A file that is damaged is put aside, and its new name is told. */
export async function readKept(path: string): Promise<{ tunnels: KeptTunnel[]; putAside: string | null }> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { tunnels: [], putAside: null }
    throw error
  }
  try {
    return { tunnels: KeptFile.parse(JSON.parse(text)).tunnels, putAside: null }
  } catch {
    const putAside = `${path}.damaged`
    await rename(path, putAside)
    return { tunnels: [], putAside }
  }
}

/** Replaces the file as a whole, for its user alone (0600): it may hold API keys. */
export async function writeKept(path: string, tunnels: readonly KeptTunnel[]): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ version: 1, tunnels }, null, 2)}\n`)
}
