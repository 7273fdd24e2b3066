import { type FileHandle, lstat, open, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'
import { ZipFile } from 'yazl'
import { conflict } from '../../contract/errors.ts'
import { archiveOf, newTally } from '../backups/archive.ts'
import { walkTree } from '../backups/tree.ts'
import { openError, openFile, openPlace, partsOf, pathOfFolder, quoted } from './place.ts'
import { newFileFlags, type ServerFiles, writeAll } from './server-files.ts'
import { Reservation } from './space.ts'

/** The kinds of archive that are made, by the end of the name. */
const kinds = { '.tar.gz': 'gzip', '.tgz': 'gzip', '.tar.zst': 'zstd', '.tar': 'plain', '.zip': 'zip' } as const
type Kind = (typeof kinds)[keyof typeof kinds]

/** Names tried for an archive that nobody named. */
const namesTried = 1000

/**
 * Puts `names`, relative to the folder `root`, into a new archive in that folder. What changes or vanishes meanwhile is taken
 * as it is when its turn comes; what is protected is left out.
 */
export async function compress(
  files: ServerFiles,
  {
    root,
    names,
    name,
    signal,
  }: { root: string; names: readonly string[]; name?: string | undefined; signal: AbortSignal },
): Promise<{ path: string; size: number }> {
  const kind = name === undefined ? 'gzip' : kindOf(name)
  await using folder = await files.openFolder(root)
  const chosen = await choose(files, root, names)
  files.mayChange()
  const temporary = await files.scratch.next()
  using reservation = await Reservation.of(files.space, 0)
  try {
    await using file = await open(temporary, newFileFlags, 0o600)
    const bytes = kind === 'zip' ? await zipOf(files, root, folder, chosen) : tarOf(kind, folder, chosen, signal)
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      signal.throwIfAborted()
      reservation.add(chunk.length)
      await writeAll(file, chunk)
    }
    await file.sync()
    const { size } = await file.stat()
    const path = await place(files, temporary, file, root, name)
    reservation.keep()
    return { path, size }
  } catch (error) {
    await rm(temporary, { force: true })
    throw openError(root, error)
  }
}

/** A folder but what is excluded as a .tar.gz, as it is read. The folder is closed with the stream. */
export function folderArchive(folder: FileHandle, excluded: (path: string) => boolean): Readable {
  const archive = async function* () {
    try {
      yield* archiveOf(`${pathOfFolder(folder)}/.`, excluded, newTally(), () => undefined)
    } finally {
      await folder.close()
    }
  }
  const gzip = createGzip()
  void pipeline(archive(), gzip).catch(() => undefined)
  return gzip
}

interface Chosen {
  excluded(path: string): boolean
}

async function choose(files: ServerFiles, root: string, names: readonly string[]): Promise<Chosen> {
  const whole = new Set<string>()
  const above = new Set<string>()
  for (const name of names) {
    const parts = partsOf(name)
    if (parts.length === 0) {
      whole.add('')
      continue
    }
    const path = parts.join('/')
    await using found = await openPlace(files.root, `${root}/${path}`.replace(/^\/+/, ''), { follow: false })
    await lstat(found.path).catch((error: unknown) => {
      throw openError(path, error)
    })
    whole.add(path)
    for (let end = parts.length - 1; end > 0; end -= 1) above.add(parts.slice(0, end).join('/'))
  }
  const isChosen = (path: string): boolean => {
    if (whole.has('') || whole.has(path)) return true
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
      if (whole.has(path.slice(0, at))) return true
    return false
  }
  const isProtected = await files.protectedIn(root)
  return { excluded: (path) => (!above.has(path) && !isChosen(path)) || isProtected(path) }
}

function tarOf(kind: Exclude<Kind, 'zip'>, folder: FileHandle, { excluded }: Chosen, signal: AbortSignal): Readable {
  const tar = Readable.from(
    archiveOf(`${pathOfFolder(folder)}/.`, excluded, newTally(), () => signal.throwIfAborted()),
    { objectMode: false },
  )
  if (kind === 'plain') return tar
  const compressor = kind === 'gzip' ? createGzip() : createZstdCompress()
  pipeline(tar, compressor).catch((error: unknown) => compressor.destroy(error as Error))
  return compressor
}

async function zipOf(files: ServerFiles, root: string, folder: FileHandle, { excluded }: Chosen): Promise<Readable> {
  const zip = new ZipFile()
  const tooDeep = (path: Buffer): never => {
    throw conflict(`${quoted(path.toString())} is too many folders deep for an archive`)
  }
  for await (const found of walkTree(`${pathOfFolder(folder)}/.`, excluded, tooDeep)) {
    const name = found.path.toString()
    const options = { mtime: new Date(found.modifiedSeconds * 1000), mode: found.mode }
    if (found.kind === 'folder') zip.addEmptyDirectory(name, { ...options, mode: found.mode | 0o040000 })
    else if (found.kind === 'file')
      zip.addReadStreamLazy(name, { ...options, mode: found.mode | 0o100000 }, (give) => {
        // Its turn comes when those before it are written: it is opened then, in the same safe way.
        openFile(files.root, `${root}/${name}`.replace(/^\/+/, '')).then(
          (file) => give(null, file.createReadStream()),
          (error: unknown) => give(error, Readable.from([])),
        )
      })
  }
  // Typed as the old kind of stream; it is one of today's.
  const output = zip.outputStream as Readable
  zip.on('error', (error: Error) => output.destroy(error))
  zip.end()
  return output
}

function kindOf(name: string): Kind {
  const kind = Object.entries(kinds).find(([end]) => name.toLowerCase().endsWith(end) && name.length > end.length)
  if (!kind || name.includes('/'))
    throw conflict(`An archive is a name that ends in ${Object.keys(kinds).join(', ')}; ${quoted(name)} does not`)
  return kind[1]
}

async function place(
  files: ServerFiles,
  temporary: string,
  file: FileHandle,
  root: string,
  name: string | undefined,
): Promise<string> {
  const folder = root.replace(/\/$/, '')
  for (let attempt = 1; ; attempt += 1) {
    const path = `${folder}/${name ?? (attempt === 1 ? 'archive.tar.gz' : `archive-${attempt}.tar.gz`)}`
    try {
      await files.put(temporary, file, path, { overwrite: false, create: false })
      return path.startsWith('/') ? path : `/${path}`
    } catch (error) {
      const taken = error instanceof Error && /exists/.test(error.message)
      if (!taken || name !== undefined || attempt >= namesTried) throw error
    }
  }
}
