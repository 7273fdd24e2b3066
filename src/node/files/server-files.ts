import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lchown, lstat, mkdir, open, rename, rm, symlink } from 'node:fs/promises'
import { type AppError, conflict } from '../../contract/errors.ts'
import type { NodeFile } from '../../contract/node-files.ts'
import { Queue } from '../../lib/queue.ts'
import { walkTree } from '../backups/tree.ts'
import { removeTree } from '../runtime/remove-tree.ts'
import type { Runtime } from '../runtime.ts'
import { FileAppender } from './file-appender.ts'
import { searchEntriesMax, searchMs, searchResultsMax } from './limits.ts'
import { listFolder, type Page } from './listing.ts'
import {
  folderFlags,
  isProtected,
  openError,
  openFile,
  openFolder,
  openPlace,
  type Place,
  pathOfFolder,
  quoted,
  type Root,
} from './place.ts'
import type { Scratch } from './scratch.ts'
import { Reservation, type Space } from './space.ts'

export interface Placing {
  /** Put it over a file of that name. A folder is never replaced. */
  overwrite: boolean
  /** Make the folders above. */
  create: boolean
  /** Asked just before, while nothing else of ours changes anything: throws to refuse. */
  check?(existing: FileHandle | null): Promise<void>
}

export interface ServerFilesOptions {
  root: Root
  scratch: Scratch
  space: Space
  runtime: Pick<Runtime, 'confine'>
  /** Throws where files must not change now. */
  refuseChanges?(): void
}

/** The files of one server. Everything new is made whole in the scratch folder and then moved to its place at once. */
export class ServerFiles {
  readonly root: Root
  readonly scratch: Scratch
  readonly space: Space
  /** Unpacks archives. */
  readonly runtime: Pick<Runtime, 'confine'>
  /** What exists is decided by one at a time. */
  readonly #placing = new Queue()
  readonly #refuseChanges: () => void

  constructor(options: ServerFilesOptions) {
    this.root = options.root
    this.scratch = options.scratch
    this.space = options.space
    this.runtime = options.runtime
    this.#refuseChanges = options.refuseChanges ?? (() => undefined)
  }

  async list(path: string, limit: number, after: string | undefined): Promise<Page> {
    await using folder = await openFolder(this.root, path)
    return await listFolder(folder, limit, after)
  }

  async stat(path: string): Promise<NodeFile> {
    await using place = await openPlace(this.root, path, { follow: true })
    try {
      const facts = await lstat(place.path)
      const isDirectory = facts.isDirectory()
      return {
        name: place.name,
        size: isDirectory ? 0 : facts.size,
        isDirectory,
        modifiedAt: Math.trunc(facts.mtimeMs),
        mode: facts.mode & 0o777,
        symlink: null,
      }
    } catch (error) {
      throw openError(path, error)
    }
  }

  openFile(path: string): Promise<FileHandle> {
    return openFile(this.root, path)
  }

  openFolder(path: string): Promise<FileHandle> {
    return openFolder(this.root, path)
  }

  /**
   * Writes a file as a whole; an existing one keeps its mode and owner. Resolves to the SHA-256 of the content.
   * @param check see `Placing`
   */
  async write(
    path: string,
    content: AsyncIterable<Uint8Array>,
    options: { overwrite: boolean; expectedBytes: number; check?: Placing['check'] },
  ): Promise<{ hash: string; size: number }> {
    this.#refuseChanges()
    const temporary = await this.scratch.next()
    using reservation = await Reservation.of(this.space, options.expectedBytes)
    try {
      const hash = createHash('sha256')
      let size = 0
      await using file = await open(temporary, newFileFlags, 0o644)
      const appender = new FileAppender(file)
      try {
        for await (const chunk of content) {
          reservation.add(chunk.length)
          hash.update(chunk)
          size += chunk.length
          await appender.add(chunk)
        }
      } finally {
        await appender.flush()
      }
      await file.sync()
      const { overwrite, check } = options
      const replaced = await this.put(temporary, file, path, { overwrite, create: true, ...(check ? { check } : {}) })
      reservation.keep(replaced)
      return { hash: hash.digest('hex'), size }
    } catch (error) {
      await rm(temporary, { force: true })
      throw openError(path, error)
    }
  }

  /** Moves a finished file from the scratch folder to its place, and resolves to the size of what it replaced. */
  async put(temporary: string, file: FileHandle, path: string, { overwrite, create, check }: Placing): Promise<number> {
    this.#refuseChanges()
    await using place = await openPlace(this.root, path, { create, follow: true })
    if (place.isRoot) throw conflict('The root is a folder, not a file')
    // Awaited here: the folder stays open until it is done.
    return await this.#change(async () => {
      await using existing = await openExisting(place, path)
      if (existing && !overwrite) throw exists(path)
      await check?.(existing)
      const { owner } = this.root
      const before = await existing?.stat()
      if (owner) await file.chown(before?.uid ?? owner.uid, before?.gid ?? owner.gid)
      await file.chmod((before?.mode ?? 0o644) & 0o777)
      await rename(temporary, place.path).catch((error: unknown) => {
        throw openError(path, error)
      })
      return before?.size ?? 0
    })
  }

  /** Moves a finished folder, or anything else, to where nothing is. */
  async putNew(temporary: string, path: string): Promise<void> {
    await using place = await openPlace(this.root, path)
    await this.#moveNew(temporary, place, path)
  }

  /** Throws where something in a folder is protected, were it at one of `paths` from the root. Nothing happens with what is no folder. */
  async refuseProtectedIn(folder: string, paths: readonly string[]): Promise<void> {
    const protectedFiles = this.root.protectedFiles?.()
    if (!protectedFiles || !(await lstat(folder).catch(() => null))?.isDirectory()) return
    const everything = () => false
    for await (const found of walkTree(folder, everything, () => undefined))
      for (const path of paths) {
        const inside = `${path}/${found.path}`
        if (protectedFiles.has(inside)) throw isProtected(inside)
      }
  }

  /** What an archive of the folder leaves out, by names relative to it: what is protected. */
  async protectedIn(path: string): Promise<(name: string) => boolean> {
    const protectedFiles = this.root.protectedFiles?.()
    if (!protectedFiles) return () => false
    await using place = await openPlace(this.root, path, { follow: true })
    const before = place.inside === '' ? '' : `${place.inside}/`
    return (name) => protectedFiles.has(before + name)
  }

  async createFolder(path: string): Promise<void> {
    await using place = await openPlace(this.root, path)
    if (place.isRoot) throw exists('/')
    await this.#change(async () => {
      try {
        await mkdir(place.path, 0o755)
        await using folder = await open(place.path, folderFlags)
        if (this.root.owner) await folder.chown(this.root.owner.uid, this.root.owner.gid)
      } catch (error) {
        throw openError(path, error)
      }
    })
  }

  async rename(from: string, to: string): Promise<void> {
    await using source = await openPlace(this.root, from)
    if (source.isRoot) throw conflict('The root itself cannot be moved')
    await lstat(source.path).catch((error: unknown) => {
      throw openError(from, error)
    })
    await using target = await openPlace(this.root, to)
    await this.#moveNew(source.path, target, to, { fromName: from, fromInside: source.inside })
  }

  /** Copies a file or a folder with everything in it; links are copied as links. */
  async copy(from: string, to: string, signal: AbortSignal): Promise<void> {
    this.#refuseChanges()
    await using source = await openPlace(this.root, from)
    if (source.isRoot) throw conflict('The root cannot be copied into itself')
    await using target = await openPlace(this.root, to)
    if (target.isRoot || (await isThere(target.path))) throw exists(to)
    await this.refuseProtectedIn(source.path, [source.inside, target.inside])
    const temporary = await this.scratch.next()
    using reservation = await Reservation.of(this.space, 0)
    try {
      await this.#copyInto(source, from, temporary, reservation, signal)
      await this.#moveNew(temporary, target, to)
      reservation.keep()
    } catch (error) {
      await removeTree(temporary)
      throw openError(from, error)
    }
  }

  /** Removes it at once from sight, then for good. */
  async delete(path: string): Promise<void> {
    await using place = await openPlace(this.root, path)
    if (place.isRoot) throw conflict('The root itself cannot be deleted; delete what is in it')
    const temporary = await this.scratch.next()
    // One step, whatever is in it and whoever changes it: nothing is followed, and there is no half of it left.
    await this.#change(async () => {
      await this.refuseProtectedIn(place.path, [place.inside])
      await rename(place.path, temporary).catch((error: unknown) => {
        throw openError(path, error)
      })
    })
    // What it is can be told only now that nobody else reaches it.
    const facts = await lstat(temporary)
    if (facts.isDirectory()) {
      await removeTree(temporary)
      await this.space.refresh(0)
    } else {
      await rm(temporary)
      this.space.removed(facts.size)
    }
  }

  async chmod(path: string, mode: number): Promise<void> {
    await using place = await openPlace(this.root, path, { follow: true })
    try {
      // Through an open handle: a path would follow a link that takes its place.
      await using file = await open(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      const facts = await file.stat()
      if (!facts.isFile() && !facts.isDirectory()) throw conflict(`${quoted(path)} is no ordinary file or folder`)
      await this.#change(() => file.chmod(mode))
    } catch (error) {
      throw openError(path, error)
    }
  }

  /** Names that contain a text in any case. Linear in what it looks at, and bounded. */
  async search(path: string, text: string): Promise<{ files: Match[]; complete: boolean }> {
    await using folder = await openFolder(this.root, path)
    const wanted = text.toLowerCase()
    const prefix = path === '/' || path === '' ? '/' : `/${path.replace(/^\/|\/$/g, '')}/`
    const files: Match[] = []
    const until = performance.now() + searchMs
    let seen = 0
    let complete = true
    const walk = walkTree(
      `${pathOfFolder(folder)}/.`,
      () => false,
      () => {
        complete = false
      },
    )
    for await (const found of walk) {
      seen += 1
      if (files.length >= searchResultsMax || seen > searchEntriesMax || performance.now() > until) {
        complete = false
        break
      }
      const name = found.path.toString()
      if (
        !name
          .slice(name.lastIndexOf('/') + 1)
          .toLowerCase()
          .includes(wanted)
      )
        continue
      const size = found.kind === 'file' ? found.sizeBytes : 0
      files.push({ path: prefix + name, size, isDirectory: found.kind === 'folder' })
    }
    return { files, complete }
  }

  /** One change at a time, each refused where none may happen now: also one that was on its way for long. */
  #change<T>(act: () => Promise<T>): Promise<T> {
    return this.#placing.run(async () => {
      this.#refuseChanges()
      return act()
    })
  }

  /** For what other protocols do: in turn with what is done here, and refused where this is. */
  change<T>(act: () => Promise<T>): Promise<T> {
    return this.#change(act)
  }

  /** Before long work that would be refused at its end. */
  mayChange(): void {
    this.#refuseChanges()
  }

  async #moveNew(
    from: string,
    target: Place,
    to: string,
    { fromName = to, fromInside }: { fromName?: string; fromInside?: string } = {},
  ): Promise<void> {
    if (target.isRoot) throw exists('/')
    await this.#change(async () => {
      if (await isThere(target.path)) throw exists(to)
      await this.refuseProtectedIn(from, [target.inside, ...(fromInside === undefined ? [] : [fromInside])])
      await rename(from, target.path).catch((error: unknown) => {
        throw openError((error as NodeJS.ErrnoException).code === 'ENOENT' ? fromName : to, error)
      })
    })
  }

  async #copyInto(
    source: Place,
    from: string,
    temporary: string,
    reservation: Reservation,
    signal: AbortSignal,
  ): Promise<void> {
    const facts = await lstat(source.path)
    if (!facts.isDirectory()) {
      await using file = await openFile(this.root, from)
      await this.#copyFile(file, temporary, reservation, signal)
      return
    }
    const { owner } = this.root
    await using folder = await openFolder(this.root, from)
    // The copy keeps modes and times; nobody but this process sees it before it is complete.
    await mkdir(temporary, 0o700)
    const folders = [{ path: Buffer.from(temporary), mode: facts.mode & 0o777, modifiedSeconds: facts.mtimeMs / 1000 }]
    for await (const found of walkTree(`${pathOfFolder(folder)}/.`, () => false, tooDeep)) {
      signal.throwIfAborted()
      const path = Buffer.concat([Buffer.from(`${temporary}/`), found.path])
      if (found.kind === 'folder') {
        await mkdir(path, 0o700)
        folders.push({ path, mode: found.mode, modifiedSeconds: found.modifiedSeconds })
      } else if (found.kind === 'link') {
        await symlink(found.target, path)
        if (owner) await lchown(path, owner.uid, owner.gid)
      } else {
        await using file = await found.open()
        if (file) await this.#copyFile(file, path, reservation, signal)
      }
    }
    for (const { path, mode, modifiedSeconds } of folders.reverse()) {
      await using made = await open(path, folderFlags)
      if (owner) await made.chown(owner.uid, owner.gid)
      await made.utimes(modifiedSeconds, modifiedSeconds)
      await made.chmod(mode)
    }
  }

  async #copyFile(from: FileHandle, to: string | Buffer, reservation: Reservation, signal: AbortSignal): Promise<void> {
    const facts = await from.stat()
    await using file = await open(to, newFileFlags, 0o600)
    for await (const chunk of readChunks(from)) {
      signal.throwIfAborted()
      reservation.add(chunk.length)
      await writeAll(file, chunk)
    }
    await file.utimes(facts.atimeMs / 1000, facts.mtimeMs / 1000)
    if (this.root.owner) await file.chown(this.root.owner.uid, this.root.owner.gid)
    await file.chmod(facts.mode & 0o777)
  }
}

export interface Match {
  path: string
  size: number
  isDirectory: boolean
}

export const exists = (path: string): AppError =>
  conflict(`${quoted(path)} exists already; choose another name or remove it first`)

export const newFileFlags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** One read of a file, in bytes: each is a trip to the thread pool. */
const chunkBytes = 512 * 1024

/**
 * The bytes of an open file from `first` up to and including `last`. A piece is good until the next one is asked for: two
 * buffers take turns, one of them filled ahead, so that a long file makes no garbage.
 */
export async function* readChunks(
  file: FileHandle,
  first = 0,
  last = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<Buffer, void, void> {
  let at = first
  let turn = 0
  const buffers: Buffer[] = []
  const readNext = async (): Promise<Buffer | null> => {
    const wanted = Math.min(chunkBytes, last - at + 1)
    if (wanted <= 0) return null
    buffers[turn] ??= Buffer.allocUnsafe(wanted)
    const buffer = buffers[turn] as Buffer
    turn = 1 - turn
    const { bytesRead } = await file.read(buffer, 0, Math.min(wanted, buffer.length), at)
    at += bytesRead
    return bytesRead === 0 ? null : buffer.subarray(0, bytesRead)
  }
  let ahead = readNext()
  try {
    for (let piece = await ahead; piece; piece = await ahead) {
      ahead = readNext()
      // Its failure is met when its turn comes.
      ahead.catch(() => undefined)
      yield piece
    }
  } finally {
    // The caller closes the file, whose number may be another file's then.
    await ahead.catch(() => undefined)
  }
}

export async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
}

async function openExisting(place: Place, path: string): Promise<FileHandle | null> {
  try {
    const file = await open(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if ((await file.stat()).isFile()) return file
    await file.close()
    throw conflict(`${quoted(path)} exists and is no ordinary file; remove it first`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw openError(path, error)
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

const tooDeep = (path: Buffer): never => {
  throw conflict(`${quoted(path.toString())} is too many folders deep to be copied`)
}
