import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import { type Entry, fromBuffer, type ZipFile } from 'yauzl'
import { AppError, conflict } from '../../contract/errors.ts'
import { isPublicAddress, openUrl } from '../../http/index.ts'
import { eggCharsMax } from '../eggs/index.ts'
import { eggBytesMax, eggsMax, entriesMax, fetchTimeoutMs, sourceBytesMax, unpackedBytesMax } from './limits.ts'
import { tarFiles } from './tar.ts'

/** One egg of a source: the path in the archive without its topmost folder where all lie in one, and the text. */
export interface EggFile {
  path: string
  text: string
}

/**
 * Every egg of an archive (`.tar.gz`, `.zip`, told by its first bytes), or the one that the URL itself is. Throws `conflict`
 * that says what to do.
 */
export async function fetchEggs(
  source: { url: string; folder: string; allowPrivate: boolean },
  signal: AbortSignal,
): Promise<EggFile[]> {
  const timeout = AbortSignal.timeout(fetchTimeoutMs)
  try {
    const content = await download(source, AbortSignal.any([signal, timeout]))
    const files = await filesOf(content, new URL(source.url).pathname)
    const eggs = withoutTop(files).filter(({ path }) => isBelow(path, source.folder))
    if (eggs.length === 0)
      throw conflict(source.folder === '' ? 'There is no egg in it' : `There is no egg below ${source.folder} in it`)
    return eggs.sort((left, right) => (left.path < right.path ? -1 : 1))
  } catch (error) {
    if (timeout.aborted) throw conflict(`It could not be fetched within ${fetchTimeoutMs / 1000} seconds`)
    throw error instanceof AppError ? error : new AppError('conflict', wordsOf(error), { cause: error })
  }
}

async function download(
  { url, allowPrivate }: { url: string; allowPrivate: boolean },
  signal: AbortSignal,
): Promise<Buffer> {
  const response = await openUrl(new URL(url), allowPrivate ? () => true : isPublicAddress, signal)
  try {
    return await buffer(limited(response, sourceBytesMax, 'What it gives'))
  } finally {
    response.destroy()
  }
}

async function* limited(chunks: AsyncIterable<Uint8Array>, bytesMax: number, what: string): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > bytesMax) throw conflict(`${what} is larger than ${bytesMax / 1024 / 1024} MiB`)
    yield chunk
  }
}

async function filesOf(content: Buffer, urlPath: string): Promise<EggFile[]> {
  const eggs = new Eggs()
  if (content[0] === 0x1f && content[1] === 0x8b) {
    const gunzip = createGunzip()
    gunzip.end(content)
    const unpacked = limited(gunzip, unpackedBytesMax, 'Its archive unpacked')
    for await (const file of tarFiles(unpacked, (name, size) => eggs.wants(name, size)))
      eggs.take(file.name, file.content)
  } else if (content.subarray(0, 2).toString('latin1') === 'PK') await unzip(content, eggs)
  else eggs.take(decodeURIComponent(urlPath.split('/').at(-1) || 'egg'), content, true)
  return eggs.found
}

/** Takes what looks like an egg: repositories hold other files of these kinds, too. */
class Eggs {
  readonly found: EggFile[] = []
  #entries = 0
  #bytes = 0

  wants(name: string, sizeBytes: number): boolean {
    this.#entries += 1
    if (this.#entries > entriesMax) throw conflict(`Its archive holds more than ${entriesMax} entries`)
    return /\.(json|ya?ml)$/i.test(name) && name.length <= 500 && sizeBytes <= eggCharsMax
  }

  take(name: string, content: Buffer, surely = false): void {
    const text = content.toString('utf8')
    if (!surely && !/["']?version["']?\s*:\s*["']?(?:PTDL|PLCN)_v\d/.test(text)) return
    this.#bytes += content.length
    if (this.found.length === eggsMax || this.#bytes > eggBytesMax)
      throw conflict(
        `It holds more than ${eggsMax} eggs, or more than ${eggBytesMax / 1024 / 1024} MiB of them; choose a folder of it`,
      )
    this.found.push({ path: name.replace(/^\.?\/+/, ''), text })
  }
}

async function unzip(content: Buffer, eggs: Eggs): Promise<void> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(content, { lazyEntries: true, validateEntrySizes: true }, (error, opened) =>
      error ? reject(error) : resolve(opened),
    )
  })
  try {
    await new Promise<void>((resolve, reject) => {
      zip.on('error', reject)
      zip.on('end', resolve)
      zip.on('entry', (entry: Entry) => {
        readEntry(zip, entry, eggs).then(() => zip.readEntry(), reject)
      })
      zip.readEntry()
    })
  } finally {
    zip.close()
  }
}

async function readEntry(zip: ZipFile, entry: Entry, eggs: Eggs): Promise<void> {
  if (!eggs.wants(entry.fileName, entry.uncompressedSize)) return
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)))
  })
  // The size that the archive names is held against what comes by `validateEntrySizes`.
  eggs.take(entry.fileName, await buffer(stream))
}

/** Archives of repositories hold everything in one folder whose name changes with each version. */
function withoutTop(files: readonly EggFile[]): EggFile[] {
  const top = files[0]?.path.split('/', 1)[0] ?? ''
  const shared = files.every(({ path }) => path.startsWith(`${top}/`))
  return shared ? files.map(({ path, text }) => ({ path: path.slice(top.length + 1), text })) : [...files]
}

function isBelow(path: string, folder: string): boolean {
  const plain = folder.replace(/^\/+|\/+$/g, '')
  return plain === '' || path.startsWith(`${plain}/`)
}

function wordsOf(error: unknown): string {
  const { code, cause, message } = error as NodeJS.ErrnoException
  if (cause instanceof AppError) return cause.message
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'The name in its URL is not known'
  if (code === 'ECONNREFUSED') return 'Nothing listens at its URL'
  if (code?.startsWith('Z_')) return 'Its archive is damaged'
  return message.slice(0, 300)
}
