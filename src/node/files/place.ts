import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readlink } from 'node:fs/promises'
import { type AppError, conflict, forbidden, notFound } from '../../contract/errors.ts'
import type { Owner } from '../runtime.ts'
import type { ProtectedFiles } from './protected.ts'

/**
 * Opens what is inside a server's folder, which the server may change at any moment and in the worst way. Every step goes from
 * an open folder to one name in it (`/proc/self/fd/N/name`), and the kernel follows no symbolic link on the way. Links that
 * stay inside are followed here, one step at a time; what would lead outside is refused.
 */

/** The folder that nothing leaves. */
export interface Root {
  path: string
  /** Its path as the server's own processes see it: what absolute links inside mean. */
  home: string
  /** Whom new files and folders belong to; null where they are this process's user's anyway. */
  owner: Owner | null
  /** What nobody reads or changes from here; asked of each path as it is without its links. Nothing unless given. */
  protectedFiles?(): ProtectedFiles | null
}

/** A path longer than this is nobody's file, in bytes: the kernel's own limit (PATH_MAX). */
const pathBytesMax = 4096

/** A name longer than this no file system takes, in bytes (NAME_MAX). */
const nameBytesMax = 255

/** As many as the kernel follows itself before it takes them for a circle. */
const linksMax = 40

/** Folders that are held open on the way down; far beyond what any game makes. */
const depthMax = 256

/** Splits a path from the root: `/`, `/a/b`, `a/b`, `/a/b/`. What is not plainly inside is refused, never repaired. */
export function partsOf(path: string): string[] {
  if (Buffer.byteLength(path) > pathBytesMax) throw forbidden(`The path is longer than ${pathBytesMax} bytes`)
  const parts = path.replace(/^\//, '').replace(/\/$/, '').split('/')
  if (parts.length === 1 && parts[0] === '') return []
  for (const part of parts) {
    if (part === '' || part === '.' || isDisguised(part) || part.includes('\0') || !part.isWellFormed())
      throw forbidden(`${quoted(path)} is not a plain path inside the server's folder`)
    if (Buffer.byteLength(part) > nameBytesMax)
      throw forbidden(`${quoted(part.slice(0, 40))}… is longer than ${nameBytesMax} bytes; choose a shorter name`)
  }
  return parts
}

/** `..`, also with the separators of other systems or percent signs around it: harmless here, and never meant well. */
function isDisguised(part: string): boolean {
  const plain = part.replaceAll(/%2e/gi, '.').replaceAll(/%2f|%5c/gi, '/')
  return plain.split(/[/\\]/).includes('..')
}

export const quoted = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)

/** An open folder and a name in it, which may or may not exist. An empty name is the root itself. */
export class Place implements AsyncDisposable {
  readonly #folders: FileHandle[]
  readonly name: string
  /** Its path from the root as it was reached, without links; empty for the root. */
  readonly inside: string

  constructor(folders: FileHandle[], name: string, inside: string) {
    this.#folders = folders
    this.name = name
    this.inside = inside
  }

  get folder(): FileHandle {
    // There is always the root.
    return this.#folders.at(-1) as FileHandle
  }

  /** To be used while this is open, and never with a function that follows links. */
  get path(): string {
    return this.name === '' ? `${pathOfFolder(this.folder)}/.` : `${pathOfFolder(this.folder)}/${this.name}`
  }

  get isRoot(): boolean {
    return this.name === ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#folders)
  }
}

export const pathOfFolder = (folder: FileHandle): string => `/proc/self/fd/${folder.fd}`

export const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

export interface PlaceOptions {
  /** Make the folders above that are missing. */
  create?: boolean
  /** If the last part is a link, take what it leads to. */
  follow?: boolean
}

/** Opens the folder above a path. Whoever gets it closes it. */
export async function openPlace(root: Root, path: string, options: PlaceOptions = {}): Promise<Place> {
  const waiting = partsOf(path)
  const folders = [await open(root.path, folderFlags)]
  /** What the open folders below the root are called. */
  const names: string[] = []
  const insideAt = (name: string): string => {
    const inside = [...names, ...(name === '' ? [] : [name])].join('/')
    if (root.protectedFiles?.()?.has(inside)) throw isProtected(path)
    return inside
  }
  const arrived = (name: string): Place => new Place(folders, name, insideAt(name))
  let links = 0
  try {
    for (;;) {
      const part = waiting.shift()
      if (part === undefined) return arrived('')
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (folders.length === 1) throw outside(path)
        await folders.pop()?.close()
        names.pop()
        continue
      }
      const here = `${pathOfFolder(folders.at(-1) as FileHandle)}/${part}`
      const isLast = waiting.length === 0
      if (isLast && !options.follow) return arrived(part)
      const target = await linkTarget(here)
      if (target !== null) {
        links += 1
        if (links > linksMax) throw forbidden(`${quoted(path)} leads through a circle of symbolic links`)
        waiting.unshift(...(await followed(target, root, folders, path)))
        names.length = folders.length - 1
        continue
      }
      if (isLast) return arrived(part)
      if (folders.length > depthMax) throw conflict(`${quoted(path)} is more than ${depthMax} folders deep`)
      insideAt(part)
      folders.push(await enter(here, path, root.owner, options.create ?? false))
      names.push(part)
    }
  } catch (error) {
    await closeAll(folders)
    throw error
  }
}

/** Opens an existing folder itself, through a link inside too. */
export async function openFolder(root: Root, path: string): Promise<FileHandle> {
  await using place = await openPlace(root, path, { follow: true })
  try {
    return await open(place.path, folderFlags)
  } catch (error) {
    throw openError(path, error)
  }
}

/** Opens an ordinary file for reading; anything else is refused without waiting for it. */
export async function openFile(root: Root, path: string): Promise<FileHandle> {
  await using place = await openPlace(root, path, { follow: true })
  if (place.isRoot) throw conflict('The root is a folder, not a file')
  try {
    // NONBLOCK: opening a pipe must not wait for its other end.
    const file = await open(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if ((await file.stat()).isFile()) return file
    const isFolder = (await file.stat()).isDirectory()
    await file.close()
    throw conflict(`${quoted(path)} is ${isFolder ? 'a folder' : 'no ordinary file'}`)
  } catch (error) {
    throw openError(path, error)
  }
}

/** Words for what the kernel said of a path. */
export function openError(path: string, error: unknown): Error {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return notFound(quoted(path))
    case 'ENOTDIR':
      return conflict(`${quoted(path)}: a part of it is not a folder`)
    case 'EEXIST':
    case 'ENOTEMPTY':
      return conflict(`${quoted(path)} exists already; choose another name or remove it first`)
    case 'EISDIR':
      return conflict(`${quoted(path)} is a folder`)
    case 'ELOOP':
      return forbidden(`${quoted(path)} became a symbolic link while it was opened`)
    case 'ENAMETOOLONG':
      return conflict(`${quoted(path)} is too long, or holds what is`)
    case 'ENXIO':
      return conflict(`${quoted(path)} is no ordinary file`)
    case 'EINVAL':
      return conflict(`${quoted(path)}: a folder cannot be put into itself`)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return conflict(`${quoted(path)}: this node may not do that here`)
    case 'EDQUOT':
      return conflict(
        `${quoted(path)} could not be written: the server's disk limit is reached. Delete some files, or raise the limit.`,
      )
    case 'ENOSPC':
      return conflict(
        `${quoted(path)} could not be written: the disk of this node is full; free some space and try again`,
      )
    default:
      return error instanceof Error ? error : new Error(String(error))
  }
}

/** The words for what a kind of server protects. */
export const isProtected = (path: string): AppError =>
  forbidden(
    `${quoted(path)} is protected by this kind of server: it is neither read nor changed from here. Who administers the installation can change that in its template`,
  )

const outside = (path: string): AppError => forbidden(`${quoted(path)} leads outside the server's folder`)

async function enter(here: string, path: string, owner: Owner | null, create: boolean): Promise<FileHandle> {
  let made = false
  try {
    if (create) made = await makeFolder(here)
    const folder = await open(here, folderFlags)
    if (made && owner) await folder.chown(owner.uid, owner.gid)
    return folder
  } catch (error) {
    throw openError(path, error)
  }
}

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, 0o755)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Where the link of this name leads; null where it is no link. */
async function linkTarget(here: string): Promise<string | null> {
  try {
    if (!(await lstat(here)).isSymbolicLink()) return null
    return await readlink(here)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null
    throw error
  }
}

/** The steps that a link stands for. An absolute one begins at the root again, if it is the root's own path. */
async function followed(target: string, root: Root, folders: FileHandle[], path: string): Promise<string[]> {
  if (target.includes('\0') || Buffer.byteLength(target) > pathBytesMax) throw outside(path)
  if (!target.startsWith('/')) return target.split('/')
  const inside = target === root.home ? '' : target.startsWith(`${root.home}/`) ? target.slice(root.home.length) : null
  if (inside === null) throw outside(path)
  await closeAll(folders.splice(1))
  return inside.split('/')
}

async function closeAll(folders: FileHandle[]): Promise<void> {
  for (const folder of folders) await folder.close()
}
