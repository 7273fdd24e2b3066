import { createReadStream } from 'node:fs'
import { link, mkdir, open, symlink } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { createTarDecoder } from 'modern-tar'
import { type Entry, fromFd, type ZipFile } from 'yauzl'
import { z } from 'zod'

export const Job = z.strictObject({
  kind: z.enum(['zip', 'tar', 'tar.gz', 'tar.zst', 'gz', 'zst']),
  owner: z.strictObject({ uid: z.int(), gid: z.int() }).nullable(),
  /** Of the one file in a `gz` or `zst`. */
  name: z.string(),
  bytesMax: z.int(),
  /** Whether that is what the server's disk limit leaves, rather than what an archive of this size may become. */
  bytesMaxIsRoom: z.boolean(),
  entriesMax: z.int(),
  depthMax: z.int(),
})
export type Job = z.output<typeof Job>

/** What this archive holds is not put on a disk, for the reason in the message. */
export class Refused extends Error {}

/** Unpacks the archive open at `fd` into the working folder, which is empty and nobody else's. */
export async function extractArchive(job: Job, fd: number): Promise<{ files: number; bytes: number }> {
  const target = new Target(job)
  const read = (): Readable => createReadStream('', { fd, start: 0, autoClose: false })
  if (job.kind === 'zip') await unzip(fd, target)
  else if (job.kind === 'gz' || job.kind === 'zst') await target.file(job.name, 0o644, decompressed(read(), job.kind))
  else await untar(job.kind === 'tar' ? read() : decompressed(read(), job.kind), target)
  return { files: target.files, bytes: target.bytes }
}

function decompressed(source: Readable, kind: Job['kind']): Readable {
  const decoder = kind.endsWith('zst') ? createZstdDecompress() : createGunzip()
  source.on('error', (error) => decoder.destroy(error))
  return source.pipe(decoder)
}

async function untar(source: Readable, target: Target): Promise<void> {
  const entries = Readable.toWeb(source).pipeThrough(createTarDecoder({ strict: true }) as never) as ReadableStream<{
    header: { name: string; type?: string; mode?: number; linkname?: string }
    body: ReadableStream<Uint8Array>
  }>
  let headers = 0
  for await (const { header, body } of entries as unknown as AsyncIterable<TarEntry>) {
    headers += 1
    // A folder that comes again and again makes nothing, and compresses to nothing. Each entry may have a PAX header before it.
    if (headers > 2 * target.entriesMax) throw target.tooMany()
    const { name, type = 'file', mode = 0o644, linkname = '' } = header
    if (type === 'file') {
      await target.file(name, mode, body)
      continue
    }
    await body.cancel()
    if (type === 'directory') await target.folder(name)
    else if (type === 'symlink') await target.link(name, linkname)
    else if (type === 'link') await target.hardLink(name, linkname)
    else if (!type.startsWith('pax'))
      throw new Refused(`${shown(name)} is a ${type}: only files, folders and links are unpacked`)
  }
}

interface TarEntry {
  header: { name: string; type?: string; mode?: number; linkname?: string }
  body: ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>
}

async function unzip(fd: number, target: Target): Promise<void> {
  const zip = await openZip(fd)
  // The directory at its end says how many there are: no need to write half a million of them first.
  if (zip.entryCount > target.entriesMax) throw target.tooMany()
  await new Promise<void>((resolve, reject) => {
    zip.on('error', reject)
    zip.on('end', resolve)
    zip.on('entry', (entry: Entry) => {
      unzipEntry(zip, entry, target).then(() => zip.readEntry(), reject)
    })
    zip.readEntry()
  })
}

/** File type bits that Unix programs put into a zip. */
const typeBits = 0o170000
const typeNames = new Map([
  [0o120000, 'link'],
  [0o040000, 'folder'],
  [0o100000, 'file'],
  [0, 'file'],
])
/** A link's target is a path. */
const linkBytesMax = 4096

async function unzipEntry(zip: ZipFile, entry: Entry, target: Target): Promise<void> {
  const name = entry.fileName
  const mode = entry.externalFileAttributes >>> 16
  const type = typeNames.get(mode & typeBits)
  if (type === undefined)
    throw new Refused(`${shown(name)} is a device or pipe: only files, folders and links are unpacked`)
  if (name.endsWith('/') || type === 'folder') return target.folder(name)
  if (entry.isEncrypted()) throw new Refused(`${shown(name)} is encrypted; unpack it elsewhere`)
  const stream = await new Promise<Readable>((resolve, reject) =>
    zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened))),
  )
  if (type === 'file') return target.file(name, mode & 0o777 || 0o644, stream)
  if (entry.uncompressedSize > linkBytesMax) throw new Refused(`${shown(name)} is a link to nowhere`)
  return target.link(name, Buffer.concat(await stream.toArray()).toString())
}

const openZip = (fd: number): Promise<ZipFile> =>
  new Promise((resolve, reject) =>
    fromFd(
      fd,
      { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true },
      (error, zip) => (error ? reject(error) : resolve(zip)),
    ),
  )

/** The folder that is filled. It knows what it has made, so no entry can reach through another one. */
class Target {
  files = 0
  bytes = 0
  readonly #job: Job
  readonly #made = new Map<string, 'folder' | 'file' | 'link'>()
  #entries = 0

  constructor(job: Job) {
    this.#job = job
  }

  get entriesMax(): number {
    return this.#job.entriesMax
  }

  tooMany(): Refused {
    return new Refused(`The archive has more than ${this.entriesMax} entries`)
  }

  async file(name: string, mode: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = await this.#enter(name, 'file')
    // Bits that let others act as this user are not for an archive to give.
    await using file = await open(path, 'wx', (mode & 0o777) | 0o600)
    for await (const chunk of content) {
      this.bytes += chunk.length
      if (this.bytes > this.#job.bytesMax) throw this.#tooLarge()
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
    }
    this.files += 1
  }

  async folder(name: string): Promise<void> {
    const parts = this.#parts(name)
    if (parts.length > 0) await this.#folders(parts)
  }

  /** A link may lead up and then down inside, and to nothing else. */
  async link(name: string, to: string): Promise<void> {
    const path = await this.#enter(name, 'link')
    const steps = to.split('/')
    const up = steps.findIndex((step) => step !== '..')
    const climbs = up === -1 ? steps.length : up
    const isPlain = to !== '' && !to.startsWith('/') && !to.includes('\0') && !steps.slice(climbs).includes('..')
    if (!isPlain || climbs > path.split('/').length - 2)
      throw new Refused(`${shown(name)} is a link that leads out of the folder, to ${shown(to)}`)
    await symlink(to, path)
  }

  async hardLink(name: string, to: string): Promise<void> {
    const source = this.#parts(to).join('/')
    if (this.#made.get(source) !== 'file')
      throw new Refused(`${shown(name)} is a link to ${shown(to)}, which is not a file of this archive`)
    const path = await this.#enter(name, 'file')
    await link(`./${source}`, path)
    this.files += 1
  }

  async #enter(name: string, kind: 'file' | 'link'): Promise<string> {
    const parts = this.#parts(name)
    const path = parts.join('/')
    if (parts.length === 0 || this.#made.has(path)) throw new Refused(`${shown(name)} is in the archive twice`)
    await this.#folders(parts.slice(0, -1))
    this.#count()
    this.#made.set(path, kind)
    return `./${path}`
  }

  async #folders(parts: readonly string[]): Promise<void> {
    for (let end = 1; end <= parts.length; end += 1) {
      const path = parts.slice(0, end).join('/')
      const made = this.#made.get(path)
      if (made === 'folder') continue
      if (made) throw new Refused(`${shown(path)} is in the archive twice: once as a folder`)
      this.#count()
      this.#made.set(path, 'folder')
      await mkdir(`./${path}`, 0o755)
    }
  }

  #count(): void {
    this.#entries += 1
    if (this.#entries > this.entriesMax) throw this.tooMany()
  }

  #parts(name: string): string[] {
    const parts = name
      .replace(/^(?:\.\/)+/, '')
      .replace(/\/+$/, '')
      .split('/')
      .filter((part) => part !== '.')
    if (parts.length === 1 && parts[0] === '') return []
    if (
      name.startsWith('/') ||
      name.includes('\0') ||
      name.includes('\\') ||
      parts.some((part) => part === '..' || part === '')
    )
      throw new Refused(`${shown(name)} would leave the folder`)
    // This is what a decoder puts in place of bytes that are no letters.
    if (name.includes('\ufffd')) throw new Refused(`${shown(name)} is not a name in UTF-8`)
    if (parts.some((part) => Buffer.byteLength(part) > 255))
      throw new Refused(`${shown(name)} is longer than 255 bytes`)
    if (parts.length > this.#job.depthMax)
      throw new Refused(`${shown(name)} is more than ${this.#job.depthMax} folders deep`)
    return parts
  }

  #tooLarge(): Refused {
    const mib = `${(this.#job.bytesMax / (1024 * 1024)).toFixed(1)} MiB`
    return new Refused(
      this.#job.bytesMaxIsRoom
        ? `The archive holds more than the ${mib} that the server's disk limit leaves. Delete some files, or raise the limit.`
        : `The archive grows to more than ${mib}, far more than its own size: that is not unpacked`,
    )
  }
}

const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
