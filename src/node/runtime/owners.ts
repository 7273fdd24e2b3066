import { chmod, chown, mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../../contract/errors.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import { Queue } from '../../lib/queue.ts'
import { type Owner, serverFiles } from '../runtime.ts'

/**
 * The user ids given to servers: above those of people (Debian's begin at 1000), below 60000 where systemd's begin, and
 * within the 65536 that a container usually has.
 */
const uidFirst = 40_000
const uidCount = 10_000

const Record = z.strictObject({
  uid: z
    .int()
    .min(uidFirst)
    .max(uidFirst + uidCount - 1),
})

export interface Owners {
  /**
   * The user of the server in this folder: allocated once, then the same for as long as the folder is there. Makes its `data/`. A folder that
   * has come in place of another (a server that is back from another node) brings its own.
   */
  prepare(folder: string): Promise<Owner>
}

/**
 * Gives each server a system user of its own. Only root can. The user needs no entry in /etc/passwd.
 * @param offset where to begin, so that two nodes on one machine seldom use the same ids.
 */
export function createOwners(offset: number): Owners {
  const queue = new Queue()
  const known = new Map<string, number>()
  const prepare = async (folder: string): Promise<Owner> => {
    const uid = (await readOwner(folder)) ?? (await allocate(folder, offset, known))
    known.set(folder, uid)
    const data = join(folder, serverFiles.data)
    await mkdir(data, { mode: 0o700 }).catch(ignoreExisting)
    await chown(data, uid, uid)
    await chmod(data, 0o700)
    return { uid, gid: uid }
  }
  return { prepare: (folder) => queue.run(() => prepare(folder)) }
}

async function readOwner(folder: string): Promise<number | null> {
  try {
    return Record.parse(JSON.parse(await readFile(join(folder, serverFiles.owner), 'utf8'))).uid
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new AppError(
      'internal',
      `${join(folder, serverFiles.owner)} is broken: it must name the uid that owns ${serverFiles.data}/`,
      { cause: error },
    )
  }
}

async function allocate(folder: string, offset: number, known: ReadonlyMap<string, number>): Promise<number> {
  const servers = dirname(folder)
  const taken = new Set(known.values())
  for (const entry of await readdir(servers)) {
    const uid = await readOwner(join(servers, entry)).catch(() => null)
    if (uid !== null) taken.add(uid)
  }
  for (const line of (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n'))
    taken.add(Number(line.split(':')[2]))
  for (let index = 0; index < uidCount; index++) {
    const uid = uidFirst + ((offset + index) % uidCount)
    if (taken.has(uid)) continue
    await writeFileAtomic(join(folder, serverFiles.owner), JSON.stringify({ uid }))
    return uid
  }
  throw new AppError('conflict', `All ${uidCount} user ids for servers are in use on this node; remove a server first`)
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
