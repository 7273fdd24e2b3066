import { constants, createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Entry, fromFd, type ZipFile } from 'yauzl'
import { z } from 'zod'
import { AppError, conflict } from '../contract/errors.ts'
import { FolderHeld, lockFolder } from '../lib/folder-lock.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import { unfinishedRestoreFile } from '../lib/unfinished-restore.ts'
import { type DatabaseConfig, type DatabaseContent, isUsed, type Row, writeContent } from '../panel/db/index.ts'
import { sha256Of } from './backup.ts'
import { databasePath, Manifest, manifestName, partOf, tablePath } from './contents.ts'

export interface RestoreRequest {
  file: string
  dataDir: string
  databaseUrl: Secret | undefined
  /** Whether what is there may be replaced. It is kept beside, but for what PostgreSQL holds. */
  replace: boolean
  now: number
  log: Log
  say(line: string): void
}

export interface RestoreSummary {
  dataDir: string
  /** Of the backup, in ms since 1970. */
  createdAt: number
  pharos: string
  files: number
  /** Where what was replaced is now; null when nothing was. */
  kept: string | null
}

/** A list of a hundred thousand files, in bytes. */
const manifestBytesMax = 32 * 1024 * 1024

/** Who may hold a data folder. */
const roles = ['up', 'panel', 'node', 'edge']

/**
 * Puts an instance back as a backup has it. Nothing is replaced before the whole backup was read and found to be what it was; a restore that is killed
 * afterwards is finished by another one, and until then no role starts on the folder.
 * @throws AppError `conflict` where Pharos runs on the folder, where something would be replaced without leave, or for a backup that is damaged or newer
 */
export async function restore(request: RestoreRequest): Promise<RestoreSummary> {
  const { file, dataDir, databaseUrl, replace, log, say } = request
  await using closer = new AsyncDisposableStack()
  const archive = await openArchive(file, closer)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  for (const role of roles) closer.use(await hold(dataDir, role))

  const manifest = await archive.manifest()
  const { database, files, createdAt, pharos } = manifest
  const target: DatabaseConfig | null = database && (databaseUrl ? { kind: 'postgres', url: databaseUrl } : null)
  const paths = files.map(({ path }) => path).filter((path) => !isTable(path))
  if (database && !target) paths.push(databasePath)
  const parts = [...new Set(paths.map(partOf))]
  const there: string[] = []
  for (const part of parts) if (await exists(join(dataDir, part))) there.push(part)
  if (!replace && there.length > 0)
    throw conflict(
      `${dataDir} holds an instance already (${there.join(', ')}). With --replace it is moved aside, into a folder beside it.`,
    )
  if (!replace && database && databaseUrl && (await isUsed(databaseUrl)))
    throw conflict('The PostgreSQL database holds an instance already. With --replace it is overwritten.')

  const fresh = await mkdtemp(join(dataDir, '.restore-'))
  closer.defer(() => rm(fresh, { recursive: true, force: true }))
  for (const [index, each] of files.entries()) {
    say(`reading ${index + 1} of ${files.length}: ${each.path}`)
    await archive.unpack(each, join(fresh, each.path))
  }
  const content = database && contentOf(database, fresh)
  if (content && !target) {
    say('writing the database')
    await mkdir(join(fresh, dirname(databasePath)), { recursive: true, mode: 0o700 })
    await writeContent({ kind: 'sqlite', file: join(fresh, databasePath) }, content, log)
  }
  const marker = unfinishedRestoreFile(dataDir)
  await writeFileAtomic(marker, `${JSON.stringify({ file })}\n`)
  if (content && target) {
    say('writing the database')
    await writeContent(target, content, log).catch(async (error) => {
      // It was one transaction: nothing has changed yet.
      await rm(marker)
      throw error
    })
  }
  const aside = there.length > 0 ? join(dataDir, `before-restore-${stamp(request.now)}`) : null
  for (const part of parts) {
    if (aside && there.includes(part)) await move(join(dataDir, part), join(aside, part))
    await move(join(fresh, part), join(dataDir, part))
  }
  await syncFolder(dataDir)
  await rm(marker)
  return { dataDir, createdAt, pharos, files: files.length, kept: aside }
}

/** What the backup's tables hold, read from where they were unpacked. */
const contentOf = ({ migrations, tables }: NonNullable<Manifest['database']>, folder: string): DatabaseContent => ({
  migrations,
  tables,
  async *rows(table) {
    for await (const line of linesOf(join(folder, tablePath(table)))) yield Columns.parse(JSON.parse(line))
  },
})

/** Node's own reader also ends lines at characters that JSON leaves in texts. */
async function* linesOf(file: string): AsyncIterable<string> {
  let rest = ''
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

const Columns: z.ZodType<Row> = z.record(z.string(), z.union([z.string(), z.number(), z.null()]))

const isTable = (path: string): boolean => path.startsWith('database/')

interface Archive {
  manifest(): Promise<Manifest>
  /** Writes one file as the manifest describes it. */
  unpack(described: Manifest['files'][number], target: string): Promise<void>
}

async function openArchive(file: string, closer: AsyncDisposableStack): Promise<Archive> {
  const handle = await open(file, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new AppError('not_found', `There is no file ${file}.`)
    throw new AppError('forbidden', `${file} cannot be read: ${error.message}`)
  })
  closer.defer(() => handle.close())
  const damaged = (cause: unknown): AppError =>
    new AppError('conflict', `${file} is no backup of "pharos backup", or is damaged: ${(cause as Error).message}`, {
      cause,
    })
  const zip = await openZip(handle).catch((error) => {
    throw damaged(error)
  })
  const entries = await entriesOf(zip).catch((error) => {
    throw damaged(error)
  })
  const content = async (name: string, bytesMax: number): Promise<Readable> => {
    const entry = entries.get(name)
    if (!entry) throw damaged(new Error(`${name} is missing`))
    const stream = await new Promise<Readable>((resolve, reject) =>
      zip.openReadStream(entry, (error, opened) => (error ? reject(damaged(error)) : resolve(opened))),
    )
    let left = bytesMax
    const bounded = new Transform({
      transform(chunk: Buffer, _, done) {
        left -= chunk.length
        done(left < 0 ? damaged(new Error(`${name} is larger than it should be`)) : null, chunk)
      },
    })
    void pipeline(stream, bounded).catch(() => undefined)
    return bounded
  }
  return {
    async manifest() {
      try {
        const chunks = await (await content(manifestName, manifestBytesMax)).toArray()
        return Manifest.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      } catch (error) {
        throw error instanceof AppError ? error : damaged(new Error(`its ${manifestName} is not understood`))
      }
    },
    async unpack({ path, size, sha256 }, target) {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      await pipeline(await content(path, size), createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true }))
      if ((await sha256Of(target)) !== sha256) throw damaged(new Error(`${path} is not what was backed up`))
    },
  }
}

const openZip = (handle: FileHandle): Promise<ZipFile> =>
  new Promise((resolve, reject) =>
    fromFd(
      handle.fd,
      { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true },
      (error, zip) => (error ? reject(error) : resolve(zip)),
    ),
  )

const entriesOf = (zip: ZipFile): Promise<Map<string, Entry>> =>
  new Promise((resolve, reject) => {
    const entries = new Map<string, Entry>()
    zip.on('error', reject)
    zip.on('end', () => resolve(entries))
    zip.on('entry', (entry: Entry) => {
      entries.set(entry.fileName, entry)
      zip.readEntry()
    })
    zip.readEntry()
  })

async function hold(dataDir: string, role: string): Promise<AsyncDisposable> {
  try {
    return await lockFolder(dataDir, role)
  } catch (error) {
    if (!(error instanceof FolderHeld)) throw error
    throw conflict(`Pharos runs on ${dataDir} (process ${error.pid ?? 'unknown'}). Stop it first.`)
  }
}

async function move(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
  await rename(from, to)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** `2026-11-22T05-30-00Z`: sorts by time, and is a file name everywhere. */
export const stamp = (now: number): string =>
  new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-')
