import { open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { conflict } from '../../contract/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Migration } from './migrate.ts'
import { appliedInSqlite } from './state.ts'

/** How many copies from before upgrades stay: the way back over the last few versions. */
const copiesKept = 3

/** What must stay free beside the copy, in bytes: the upgrade itself writes, too. */
const spareBytes = 64 * 1024 * 1024

/** Where the copy of a database goes that has this as its last migration. */
export const copyBefore = (file: string, last: string): string => `${file}${mark}${last}`
const mark = '.before-upgrade-'

/**
 * Keeps a copy of a SQLite database that is about to move forward; with it an older program can start again. Does nothing for a
 * new database, or one that has all migrations. The copy appears whole or not at all.
 * @throws AppError `conflict` where there is no room for it: then nothing moves forward
 */
export async function copyBeforeUpgrade(file: string, migrations: readonly Migration[], log: Log): Promise<void> {
  const applied = await appliedInSqlite(file)
  const last = applied.at(-1)
  const ours = migrations.map(({ name }) => name)
  // A database of a newer program is refused by whoever migrates.
  if (last === undefined || !applied.every((name) => ours.includes(name))) return
  if (ours.every((name) => applied.includes(name))) return
  const copy = copyBefore(file, last)
  await refuseWithoutRoom(file)
  const part = `${copy}.tmp`
  try {
    const database = new BetterSqlite(file, { readonly: true, fileMustExist: true })
    try {
      await database.backup(part)
    } finally {
      database.close()
    }
    const written = await open(part, 'r+')
    await written.chmod(0o600)
    await written.sync().finally(() => written.close())
    await rename(part, copy)
  } catch (cause) {
    await rm(part, { force: true })
    throw conflict(
      `The database ${file} could not be copied to ${copy} before its upgrade: ${(cause as Error).message}. Nothing was changed.`,
    )
  }
  log.warn({ copy }, 'the database moves forward; as it was it is kept in the copy')
  await removeOldCopies(file)
}

async function refuseWithoutRoom(file: string): Promise<void> {
  const [{ size }, wal, disk] = await Promise.all([
    stat(file),
    stat(`${file}-wal`).catch(() => ({ size: 0 })),
    statfs(dirname(file)),
  ])
  const needed = size + wal.size + spareBytes
  const free = disk.bavail * disk.bsize
  if (free < needed)
    throw conflict(
      `Before its upgrade the database ${file} is copied, and for that ${mebibytes(needed)} MiB must be free: ${mebibytes(free)} are. Free some space and start again; nothing was changed.`,
    )
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / 1024 / 1024)

/** Their names end in the migration, and those sort by age. */
async function removeOldCopies(file: string): Promise<void> {
  const prefix = basename(file) + mark
  const copies = (await readdir(dirname(file))).filter((name) => name.startsWith(prefix) && !name.endsWith('.tmp'))
  for (const name of copies.sort().slice(0, -copiesKept)) await rm(join(dirname(file), name), { force: true })
}
