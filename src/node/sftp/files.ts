import { constants, type Stats } from 'node:fs'
import {
  type FileHandle,
  lchown,
  lstat,
  open,
  opendir,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises'
import { conflict, forbidden } from '../../contract/errors.ts'
import { openError, openFolder, openPlace, pathOfFolder, quoted } from '../files/place.ts'
import type { ServerFiles } from '../files/server-files.ts'
import type { Growth, Growths } from './growth.ts'
import type { OpenFile, OpenFolder } from './handles.ts'
import { entriesPerReply } from './limits.ts'
import { longNameOf } from './long-name.ts'
import { type Attributes, type Entry, openFlag } from './packets.ts'
import { staysInside } from './paths.ts'

/**
 * What SFTP does to the files of one server, beside what the API does. Every path is walked as the API walks it, from the
 * server's root, one open folder after the other; changes wait their turn with those of the API, and are refused where it refuses them.
 */

/** The files of one server, and which of them are being written. */
export interface Target {
  files: ServerFiles
  growths: Growths
}

/** Opens a file as a client asks for it, and makes it where the flags say so: with `mode` then; an existing one keeps its own. */
export async function openAs(
  { files, growths }: Target,
  path: string,
  { flags, mode = 0o644 }: { flags: number; mode?: number | undefined },
): Promise<OpenFile> {
  const writes = (flags & openFlag.write) !== 0
  const reads = (flags & openFlag.read) !== 0 || !writes
  const append = writes && (flags & openFlag.append) !== 0
  if (writes) files.mayChange()
  await using place = await openPlace(files.root, path, { follow: (flags & openFlag.exclusive) === 0 })
  if (place.isRoot) throw conflict('The root is a folder, not a file')
  // NONBLOCK: opening a pipe must not wait for its other end. Both ways where it writes: its size is asked for and its bytes may be.
  const how = (writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY) | safely
  const mayMake = writes && (flags & openFlag.create) !== 0
  const onlyNew = mayMake && (flags & openFlag.exclusive) !== 0
  const opened = async (): Promise<FileHandle> => {
    if (!mayMake) return open(place.path, how)
    try {
      await using making = new AsyncDisposableStack()
      const made = making.use(await open(place.path, how | constants.O_CREAT | constants.O_EXCL, 0o600))
      const { owner } = files.root
      if (owner) await made.chown(owner.uid, owner.gid)
      await made.chmod(mode & 0o777)
      making.move()
      return made
    } catch (error) {
      if (onlyNew || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      return open(place.path, how)
    }
  }
  try {
    await using closing = new AsyncDisposableStack()
    const file = closing.use(mayMake ? await files.change(opened) : await opened())
    const facts = await file.stat()
    if (!facts.isFile()) throw conflict(`${quoted(path)} is ${facts.isDirectory() ? 'a folder' : 'no ordinary file'}`)
    const { growth, release } = await growths.of(files.space, file)
    closing.defer(release)
    if (writes && (flags & openFlag.truncate) !== 0 && facts.size > 0) {
      await files.change(() => file.truncate(0))
      growth.cut(facts.size, 0)
    }
    closing.move()
    return { kind: 'file', path, file, reads, writes, append, growth, release, changed: false }
  } catch (error) {
    throw openError(path, error)
  }
}

const safely = constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Writes all of it at `offset`, or at the end of a file that is opened to append. */
export async function writeAt(files: ServerFiles, opened: OpenFile, offset: number, bytes: Buffer): Promise<void> {
  files.mayChange()
  const at = opened.append ? (await opened.file.stat()).size : offset
  if (!Number.isSafeInteger(at + bytes.length)) throw conflict(`${quoted(opened.path)} cannot be that long`)
  await opened.growth.to(at + bytes.length)
  try {
    for (let done = 0; done < bytes.length; )
      done += (await opened.file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  } catch (error) {
    throw openError(opened.path, error)
  }
  opened.changed = true
}

/** Sets what a client may set of a path: through an open handle, since a path would follow a link that takes its place. */
export async function setAttributes({ files, growths }: Target, path: string, wanted: Attributes): Promise<void> {
  files.mayChange()
  await using place = await openPlace(files.root, path, { follow: true })
  const resizes = wanted.size !== undefined
  if (resizes && place.isRoot) throw conflict('The root is a folder, not a file')
  try {
    await using file = await open(place.path, (resizes ? constants.O_WRONLY : constants.O_RDONLY) | safely)
    const facts = await file.stat()
    if (!facts.isFile() && (resizes || !facts.isDirectory()))
      throw conflict(`${quoted(path)} is no ordinary file${resizes ? '' : ' or folder'}`)
    const { growth, release } = await growths.of(files.space, file)
    await setOpen(files, path, { file, growth }, wanted).finally(release)
  } catch (error) {
    throw openError(path, error)
  }
}

/** The same of an open file. Who owns it is not for clients to say, and bits that change whom a program runs as are left out. */
export async function setOpen(
  files: ServerFiles,
  path: string,
  { file, growth }: { file: FileHandle; growth: Growth },
  { size, owner, mode, times }: Attributes,
): Promise<void> {
  const before = await file.stat()
  if (owner && (owner.uid !== before.uid || owner.gid !== before.gid))
    throw forbidden(`The files of a server belong to the server; the owner of ${quoted(path)} cannot be changed`)
  if (size !== undefined) await growth.to(size)
  await files.change(async () => {
    if (size !== undefined && size !== before.size) {
      await file.truncate(size)
      if (size < before.size) growth.cut(before.size, size)
    }
    if (mode !== undefined) await file.chmod(mode & 0o777)
    if (times) await file.utimes(times.accessed, times.modified)
  })
}

/** What is at a path: through links that stay inside, or of the last link itself. */
export async function attributesAt(files: ServerFiles, path: string, follow: boolean): Promise<Attributes> {
  await using place = await openPlace(files.root, path, { follow })
  try {
    return attributesOf(await lstat(place.path))
  } catch (error) {
    throw openError(path, error)
  }
}

export const attributesOf = (facts: Stats): Attributes => ({
  size: facts.size,
  owner: { uid: facts.uid, gid: facts.gid },
  mode: facts.mode,
  times: { accessed: Math.trunc(facts.atimeMs / 1000), modified: Math.trunc(facts.mtimeMs / 1000) },
})

export async function listAt(files: ServerFiles, path: string): Promise<OpenFolder> {
  const folder = await openFolder(files.root, path)
  try {
    // Names are bytes; only a reply's worth is in memory, however many there are.
    const entries = await opendir(pathOfFolder(folder), {
      encoding: 'buffer' as BufferEncoding,
      bufferSize: entriesPerReply,
    })
    return { kind: 'folder', path, folder, entries }
  } catch (error) {
    await folder.close()
    throw openError(path, error)
  }
}

/** The next entries; none at the end. What vanishes meanwhile is left out. */
export async function nextEntries({ folder, entries }: OpenFolder): Promise<Entry[]> {
  const here = Buffer.from(`${pathOfFolder(folder)}/`)
  for (;;) {
    const names: Buffer[] = []
    while (names.length < entriesPerReply) {
      const entry = await entries.read()
      if (!entry) break
      // With that encoding names are bytes, which the types do not say.
      names.push(entry.name as unknown as Buffer)
    }
    if (names.length === 0) return []
    const found = await Promise.all(
      names.map(async (name): Promise<Entry[]> => {
        const facts = await lstat(Buffer.concat([here, name])).catch(() => null)
        return facts ? [{ name, longName: longNameOf(name, facts), attributes: attributesOf(facts) }] : []
      }),
    )
    const shown = found.flat()
    if (shown.length > 0) return shown
  }
}

/** Removes one file or link; a folder is refused. */
export async function removeFile(files: ServerFiles, path: string): Promise<void> {
  await using place = await openPlace(files.root, path)
  if (place.isRoot) throw conflict('The root itself cannot be deleted; delete what is in it')
  try {
    await files.change(async () => {
      const facts = await lstat(place.path)
      if (facts.isDirectory()) throw conflict(`${quoted(path)} is a folder`)
      await unlink(place.path)
      if (facts.nlink === 1) files.space.removed(facts.size)
    })
  } catch (error) {
    throw openError(path, error)
  }
}

/** Removes a folder that is empty. */
export async function removeFolder(files: ServerFiles, path: string): Promise<void> {
  await using place = await openPlace(files.root, path)
  if (place.isRoot) throw conflict('The root itself cannot be deleted')
  try {
    await files.change(() => rmdir(place.path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') throw conflict(`${quoted(path)} is not empty`)
    throw openError(path, error)
  }
}

/** Moves a file to where another one may be, which it replaces at once (`posix-rename@openssh.com`). */
export async function replace(files: ServerFiles, from: string, to: string): Promise<void> {
  await using source = await openPlace(files.root, from)
  await using target = await openPlace(files.root, to)
  if (source.isRoot || target.isRoot) throw conflict('The root itself cannot be moved or replaced')
  try {
    await files.change(async () => {
      await files.refuseProtectedIn(source.path, [source.inside, target.inside])
      const replaced = await lstat(target.path).catch(() => null)
      await rename(source.path, target.path)
      if (replaced?.isFile() && replaced.nlink === 1) files.space.removed(replaced.size)
    })
  } catch (error) {
    throw openError((error as NodeJS.ErrnoException).code === 'ENOENT' ? from : to, error)
  }
}

/** Where a link leads, as it is written. */
export async function linkAt(files: ServerFiles, path: string): Promise<string> {
  await using place = await openPlace(files.root, path)
  try {
    return await readlink(place.path)
  } catch (error) {
    throw openError(path, error)
  }
}

/** Makes a link; one that leads outside would be followed by nobody here, and is refused at once. */
export async function makeLink(files: ServerFiles, path: string, target: string): Promise<void> {
  if (!staysInside(path, target))
    throw forbidden(`A link to ${quoted(target)} would lead outside the server's folder; use a relative one inside it`)
  await using place = await openPlace(files.root, path)
  if (place.isRoot) throw conflict('The root is there already')
  const { owner } = files.root
  try {
    await files.change(async () => {
      await symlink(target, place.path)
      if (owner) await lchown(place.path, owner.uid, owner.gid)
    })
  } catch (error) {
    throw openError(path, error)
  }
}
