import { chown, lstat, mkdir, open, readdir } from 'node:fs/promises'
import { conflict } from '../../contract/errors.ts'
import { type Job, type Unpacked, unpack } from '../extraction/index.ts'
import { removeTree } from '../runtime/remove-tree.ts'
import { countFiles, filesMaxOf } from '../stats/disk.ts'
import { archiveDepthMax, archiveEntriesMax, archiveFreeBytes, archiveRatioMax, longWorkMs } from './limits.ts'
import { openError, openFile, openPlace, quoted } from './place.ts'
import { exists, type ServerFiles } from './server-files.ts'
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
): Promise<Unpacked> {
  const [end, kind] = kinds.find(([suffix]) => file.toLowerCase().endsWith(suffix)) ?? []
  if (!end || !kind)
    throw conflict(`${quoted(file)} is no archive that can be unpacked: ${kinds.map(([suffix]) => suffix).join(', ')}`)
  files.mayChange()
  // Where it goes must be there before the work begins.
  await using _target = await files.openFolder(root)
  await using archive = await openFile(files.root, file)
  const { size } = await archive.stat()
  await files.space.refresh()
  const { owner } = files.root
  const name = file.slice(file.lastIndexOf('/') + 1).slice(0, -end.length)
  const temporary = await files.scratch.next()
  await mkdir(temporary, 0o700)
  try {
    if (owner) await chown(temporary, owner.uid, owner.gid)
    const made = await unpack(files.runtime, {
      ...{ folder: temporary, owner, archive: archive.fd },
      signal: AbortSignal.any([signal, AbortSignal.timeout(longWorkMs)]),
      job: {
        ...{ kind, name: name === '' ? 'unpacked' : name, depthMax: archiveDepthMax, faithful: false, only: null },
        ...bytesOf(size, files.space.limitBytes - files.space.usedBytes),
        ...(await entriesOf(files)),
      },
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

/** How much an archive of this size may become where so much room is left. */
function bytesOf(size: number, room: number): Pick<Job, 'bytesMax' | 'tooLarge'> {
  const allowed = Math.max(archiveFreeBytes, size * archiveRatioMax)
  const bytesMax = Math.max(0, Math.min(room, allowed))
  const mib = `${(bytesMax / (1024 * 1024)).toFixed(1)} MiB`
  return {
    bytesMax,
    tooLarge:
      room <= allowed
        ? `The archive holds more than the ${mib} that the server's disk limit leaves. Delete some files, or raise the limit.`
        : `The archive grows to more than ${mib}, far more than its own size: that is not unpacked`,
  }
}

/** How many entries one may have where so many files are there already. */
async function entriesOf(files: ServerFiles): Promise<Pick<Job, 'entriesMax' | 'tooMany'>> {
  const filesMax = filesMaxOf(files.space.limitBytes)
  const left = Math.max(0, filesMax - ((await countFiles(files.root.path)) ?? 0))
  return left < archiveEntriesMax
    ? {
        entriesMax: left,
        tooMany: `The archive has more than the ${left} entries that are left of the ${filesMax} files that a server of this disk limit may have. Delete some files, or raise the limit.`,
      }
    : { entriesMax: archiveEntriesMax, tooMany: `The archive has more than ${archiveEntriesMax} entries` }
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
    if (!there) {
      await files.refuseProtectedIn(source, [place.inside])
      moves.push({ from: source, to: path, replace: false })
    } else if (there.isDirectory() && entry.isDirectory()) moves.push(...(await plan(files, source, path, overwrite)))
    else if (overwrite && there.isFile() && entry.isFile()) moves.push({ from: source, to: path, replace: true })
    else throw exists(path)
  }
  return moves
}
