import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import { AppError, conflict } from '../contract/errors.ts'
import { newShortId } from '../lib/ids.ts'
import type { Secret } from '../lib/secret.ts'
import { type DatabaseConfig, readSnapshot } from '../panel/db/index.ts'
import { databasePath, keptFiles, Manifest, manifestName, manifestVersion, tablePath } from './contents.ts'

export interface BackupRequest {
  dataDir: string
  /** The panel's database, where it is not a file of the data folder. */
  databaseUrl: Secret | undefined
  /** Where the backup goes; it must not exist. */
  file: string
  pharos: string
  now: number
  say(line: string): void
}

export interface BackupSummary {
  file: string
  size: number
  files: number
  /** The kind of database; null when there was none. */
  database: 'sqlite' | 'postgres' | null
}

/**
 * Writes what makes an instance itself into one file: its database, its keys, its settings, and what its edge has counted. It may run meanwhile.
 * The file is private (0600), since it holds secrets, and appears whole or not at all.
 * @throws AppError `not_found` without a data folder, `conflict` where the file exists or the database cannot be copied
 */
export async function backUp(request: BackupRequest): Promise<BackupSummary> {
  const { dataDir, databaseUrl, file, say } = request
  if (await stat(file).catch(() => null)) throw conflict(`${file} exists already. Choose another name.`)
  if (!(await stat(dataDir).catch(() => null)))
    throw new AppError('not_found', `There is no data folder ${dataDir}. Name it with --data-dir.`)
  await using closer = new AsyncDisposableStack()
  const copies = await mkdtemp(join(dataDir, '.backup-'))
  closer.defer(() => rm(copies, { recursive: true, force: true }))

  // The database first: what an edge counts later than that is reported once more, and counted once.
  const database = await copyDatabase(dataDir, databaseUrl, copies, say)
  const paths = await keptFiles(dataDir)
  if (database === null && paths.length === 0)
    throw new AppError('not_found', `Nothing of Pharos is in ${dataDir}. Name the data folder with --data-dir.`)
  for (const path of paths) {
    await mkdir(dirname(join(copies, path)), { recursive: true, mode: 0o700 })
    await copyFile(join(dataDir, path), join(copies, path))
  }
  for (const table of database?.tables ?? []) paths.push(tablePath(table))

  const files: Manifest['files'] = []
  for (const path of paths.sort()) {
    const { size } = await stat(join(copies, path))
    files.push({ path, size, sha256: await sha256Of(join(copies, path)) })
  }
  const manifest: Manifest = {
    version: manifestVersion,
    pharos: request.pharos,
    createdAt: request.now,
    database,
    files,
  }
  await writeFile(join(copies, manifestName), `${JSON.stringify(Manifest.parse(manifest), null, 2)}\n`)
  say(`writing ${file}`)
  const size = await writeZip(copies, [manifestName, ...paths], file)
  return { file, size, files: files.length, database: database?.kind ?? null }
}

async function copyDatabase(
  dataDir: string,
  url: Secret | undefined,
  copies: string,
  say: (line: string) => void,
): Promise<Manifest['database']> {
  const file = join(dataDir, databasePath)
  if (!url && !(await stat(file).catch(() => null))) return null
  const config: DatabaseConfig = url ? { kind: 'postgres', url } : { kind: 'sqlite', file }
  await using snapshot = await readSnapshot(config)
  await mkdir(join(copies, dirname(tablePath('any'))), { mode: 0o700 })
  for (const table of snapshot.tables) {
    say(`copying the database: ${table}`)
    await pipeline(
      async function* () {
        for await (const row of snapshot.rows(table)) yield `${JSON.stringify(row)}\n`
      },
      createWriteStream(join(copies, tablePath(table)), { flags: 'wx', mode: 0o600 }),
    )
  }
  return { kind: config.kind, migrations: [...snapshot.migrations], tables: [...snapshot.tables] }
}

/** The archive under its name: it is written beside it, and never replaces another one. */
async function writeZip(folder: string, paths: readonly string[], file: string): Promise<number> {
  const part = `${file}.${newShortId()}.part`
  try {
    const zip = new ZipFile()
    for (const path of paths) zip.addFile(join(folder, path), path, { mode: 0o100600 })
    zip.end()
    await pipeline(zip.outputStream, createWriteStream(part, { flags: 'wx', mode: 0o600 }))
    const written = await open(part)
    try {
      await written.sync()
      const { size } = await written.stat()
      // A hard link, unlike a rename, never replaces.
      await link(part, file)
      return size
    } finally {
      await written.close()
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw conflict(`${file} exists already. Choose another name.`)
    throw new AppError('conflict', `The backup ${file} could not be written: ${message}`, { cause: error })
  } finally {
    await rm(part, { force: true })
  }
}

/** Of a file's content, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
