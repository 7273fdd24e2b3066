import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, lstat, mkdir, open, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { conflict } from '../../contract/errors.ts'
import type { Job } from './extract.ts'
import { archiveDepthMax, archiveEntriesMax, archiveFreeBytes, archiveRatioMax, longWorkMs } from './limits.ts'
import { folderFlags, openError, openFile, openPlace, quoted } from './place.ts'
import { exists, removeTree, type ServerFiles } from './server-files.ts'
import { Reservation } from './space.ts'

const kinds: readonly [end: string, kind: Job['kind']][] = [
  ['.zip', 'zip'],
  ['.tar', 'tar'],
  // Before what they end in.
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tar.gz'],
  ['.tar.zst', 'tar.zst'],
  ['.gz', 'gz'],
  ['.zst', 'zst'],
]

/**
 * Unpacks an archive into a folder: first into the scratch folder, by a process of the server's own user that stops at every
 * limit, then each part to its place. What is refused leaves nothing behind.
 */
export async function decompress(
  files: ServerFiles,
  { file, root, overwrite, signal }: { file: string; root: string; overwrite: boolean; signal: AbortSignal },
): Promise<{ files: number; bytes: number }> {
  const [end, kind] = kinds.find(([suffix]) => file.toLowerCase().endsWith(suffix)) ?? []
  if (!end || !kind)
    throw conflict(`${quoted(file)} is no archive that can be unpacked: ${kinds.map(([suffix]) => suffix).join(', ')}`)
  // Where it goes must be there before the work begins.
  await using _target = await files.openFolder(root)
  await using archive = await openFile(files.root, file)
  const { size } = await archive.stat()
  await files.space.refresh()
  const room = files.space.limitBytes - files.space.usedBytes
  const allowed = Math.max(archiveFreeBytes, size * archiveRatioMax)
  const temporary = await files.scratch.next()
  const { owner } = files.root
  await mkdir(temporary, 0o700)
  try {
    if (owner) await chown(temporary, owner.uid, owner.gid)
    await using folder = await open(temporary, folderFlags)
    const name = file.slice(file.lastIndexOf('/') + 1).slice(0, -end.length)
    const made = await extract(folder.fd, archive.fd, signal, {
      kind,
      owner,
      name: name === '' ? 'unpacked' : name,
      bytesMax: Math.max(0, Math.min(room, allowed)),
      bytesMaxIsRoom: room <= allowed,
      entriesMax: archiveEntriesMax,
      depthMax: archiveDepthMax,
    })
    using reservation = await Reservation.of(files.space, made.bytes)
    reservation.add(made.bytes)
    const moves = await plan(files, temporary, root.replace(/\/$/, ''), overwrite)
    for (const { from, to, replace } of moves) {
      if (replace) {
        await using ready = await open(from, 'r')
        await files.put(from, ready, to, { overwrite: true, create: false })
      } else await files.putNew(from, to)
    }
    reservation.keep()
    return made
  } finally {
    await removeTree(temporary)
  }
}

interface Move {
  from: string
  to: string
  replace: boolean
}

/** What to move where, so that folders that are there already keep what they hold. Nothing has moved when this refuses. */
async function plan(files: ServerFiles, from: string, to: string, overwrite: boolean): Promise<Move[]> {
  const moves: Move[] = []
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = `${from}/${entry.name}`
    const path = `${to}/${entry.name}`
    await using place = await openPlace(files.root, path)
    const there = await lstat(place.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw openError(path, error)
    })
    if (!there) moves.push({ from: source, to: path, replace: false })
    else if (there.isDirectory() && entry.isDirectory()) moves.push(...(await plan(files, source, path, overwrite)))
    else if (overwrite && there.isFile() && entry.isFile()) moves.push({ from: source, to: path, replace: true })
    else throw exists(path)
  }
  return moves
}

const Outcome = z.union([
  z.strictObject({ files: z.int(), bytes: z.int() }),
  z.strictObject({ refused: z.string().max(1000) }),
])

/** Memory of the unpacking process, in MiB: half a million names fit. */
const memoryMib = 512

async function extract(
  folder: number,
  archive: number,
  signal: AbortSignal,
  job: Job,
): Promise<{ files: number; bytes: number }> {
  const child = spawn(process.execPath, [`--max-old-space-size=${memoryMib}`, program()], {
    cwd: `/proc/${process.pid}/fd/${folder}`,
    env: {},
    stdio: ['pipe', 'pipe', 'ignore', archive],
    signal: AbortSignal.any([signal, AbortSignal.timeout(longWorkMs)]),
    killSignal: 'SIGKILL',
  })
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(0, 4096)
  })
  child.stdin?.on('error', () => undefined).end(JSON.stringify(job))
  await once(child, 'close').catch((error: unknown) => {
    signal.throwIfAborted()
    throw error
  })
  const outcome = Outcome.safeParse(parse(output))
  if (!outcome.success) throw conflict('The archive could not be unpacked: it needs too much memory or time')
  if ('refused' in outcome.data) throw conflict(outcome.data.refused)
  return outcome.data
}

/** Beside this file as it is written, or beside the bundle that it has become part of. */
const program = (): string =>
  fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './extract-main.ts' : './extract.js', import.meta.url))

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
