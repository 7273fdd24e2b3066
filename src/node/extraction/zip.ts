import type { Readable } from 'node:stream'
import { type Entry, fromFd, type ZipFile } from 'yauzl'
import { Refused, shown } from './job.ts'
import type { Target } from './target.ts'

/** Unpacks the zip archive that is open at `fd`. */
export async function unzip(fd: number, target: Target): Promise<void> {
  const zip = await openZip(fd)
  // The directory at its end says how many there are: no need to write half a million of them first.
  if (zip.entryCount > target.job.entriesMax) throw new Refused(target.job.tooMany)
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
  const name = Buffer.from(entry.fileName).toString('latin1')
  const mode = entry.externalFileAttributes >>> 16
  const type = typeNames.get(mode & typeBits)
  const facts = { mode: mode & 0o777 || 0o644, modified: null }
  if (type === undefined)
    throw new Refused(`${shown(name)} is a device or pipe: only files, folders and links are unpacked`)
  if (name.endsWith('/') || type === 'folder') return target.folder(name, facts)
  if (entry.isEncrypted()) throw new Refused(`${shown(name)} is encrypted; unpack it elsewhere`)
  const stream = await new Promise<Readable>((resolve, reject) =>
    zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened))),
  )
  if (type === 'file') {
    target.file(name, facts)
    for await (const chunk of stream as AsyncIterable<Buffer>) target.write(chunk)
    return target.endFile()
  }
  if (entry.uncompressedSize > linkBytesMax) throw new Refused(`${shown(name)} is a link to nowhere`)
  return target.link(name, Buffer.concat(await stream.toArray()).toString('latin1'), facts)
}

const openZip = (fd: number): Promise<ZipFile> =>
  new Promise((resolve, reject) =>
    fromFd(
      fd,
      { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true },
      (error, zip) => (error ? reject(error) : resolve(zip)),
    ),
  )
