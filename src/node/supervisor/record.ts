import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { lenient } from '../../contract/lenient.ts'
import { Exit, ServerSpec } from '../../contract/node.ts'
import { Nap, napsMax } from '../../contract/wake.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import { serverFiles } from '../runtime.ts'

const Power = z.discriminatedUnion('phase', [
  z.strictObject({ phase: z.literal('installing'), since: z.number() }),
  z.strictObject({ phase: z.literal('install_failed'), since: z.number(), why: z.string() }),
  z.strictObject({ phase: z.literal('offline'), since: z.number(), restartAt: z.number().nullable() }),
  z.strictObject({ phase: z.literal('restoring'), since: z.number(), what: z.string() }),
  z.strictObject({ phase: z.literal('restore_failed'), since: z.number(), why: z.string() }),
  z.strictObject({ phase: z.literal('sleeping'), since: z.number() }),
  z.strictObject({ phase: z.literal('starting'), since: z.number() }),
  z.strictObject({ phase: z.literal('running'), since: z.number() }),
  z.strictObject({ phase: z.literal('stopping'), since: z.number(), afterwards: z.enum(['stay', 'start', 'sleep']) }),
])

/**
 * What the node must still know after it was killed. Written before each act that it describes: a run is recorded before it is
 * launched, a stop before it is asked for.
 */
export const ServerRecord = z.strictObject({
  version: z.literal(1),
  power: Power,
  message: z.string().nullable(),
  lastExit: Exit.nullable(),
  /** Times of the crashes that still count, ms since 1970. */
  recentCrashes: z.array(z.number()),
  /** The processes that may exist, and where in the log their output begins. */
  run: z.strictObject({ of: z.enum(['server', 'installation']), logPosition: z.int() }).nullable(),
  /** When it fell asleep and was woken, oldest first. */
  naps: z.array(Nap).max(napsMax).default([]),
  /** Times of the wakes that still count, ms since 1970. */
  recentWakes: z.array(z.number()).default([]),
  /** How long its last start took until it was ready, in ms. */
  lastStartMs: z.number().nullable().default(null),
})
export type ServerRecord = z.output<typeof ServerRecord>

export async function readRecord(folder: string): Promise<ServerRecord | null> {
  const text = await readOrNull(join(folder, serverFiles.record))
  return text === null ? null : ServerRecord.parse(JSON.parse(text))
}

export function writeRecord(folder: string, record: ServerRecord): Promise<void> {
  return writeFileAtomic(join(folder, serverFiles.record), JSON.stringify(record))
}

export async function readSpec(folder: string): Promise<ServerSpec | null> {
  const text = await readOrNull(join(folder, serverFiles.spec))
  return text === null ? null : lenient(ServerSpec).parse(JSON.parse(text))
}

export function writeSpec(folder: string, spec: ServerSpec): Promise<void> {
  return writeFileAtomic(join(folder, serverFiles.spec), JSON.stringify(spec))
}

/** What makes a folder of files that came from elsewhere a stopped server, whose console goes on at line `consoleSeq`. */
export async function writeArrived(
  folder: string,
  spec: ServerSpec,
  { now, consoleSeq }: { now: number; consoleSeq: number },
): Promise<void> {
  await writeFileAtomic(
    join(folder, serverFiles.logIndex),
    JSON.stringify({ places: [{ inode: 0, offset: 0, seq: consoleSeq, hole: 0 }] }),
  )
  await writeRecord(folder, {
    version: 1,
    power: { phase: 'offline', since: now, restartAt: null },
    message: null,
    lastExit: null,
    recentCrashes: [],
    run: null,
    naps: [],
    recentWakes: [],
    lastStartMs: null,
  })
  await writeSpec(folder, spec)
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
