import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServerKey } from '../../contract/node.ts'
import { BackupKey, BackupReport, backupFormats } from '../../contract/node-backups.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import { elsewhereKeptMs } from './limits.ts'

/**
 * The folder of this machine's backups, `<data folder>/backups/<server>/`, out of reach of every server:
 *
 * | file | what |
 * | --- | --- |
 * | `<id>.partial` | an archive that is being written; empty, a backup that has only begun, or a snapshot |
 * | `<id>.archive` | a whole one: its bytes were on disk before it got this name |
 * | `<id>.names` | what an archive holds, once somebody has looked into it: lines of JSON, with zstd. It may go at any time |
 * | `<id>.json` | how it ended; written last, so an archive without it belongs to nobody |
 * | `repository/` | the server's snapshots, in restic's own format; `repository.new` while it is made |
 * | `repository-<key>/` | one that has come from another node with its server, `repository-<key>.new` while it comes |
 * | `repository-cache/` | of a repository in a store elsewhere: its indexes |
 * | `repository.json` | what has been forgotten in it and not been cleared away yet |
 */
export const BackupRecord = z.strictObject({
  version: z.literal(1),
  report: BackupReport,
  format: z.enum(backupFormats),
  store: z.enum(['local', 's3']),
  /** ms since 1970. */
  endedAt: z.number(),
})
export type BackupRecord = z.output<typeof BackupRecord>

export class BackupPlace {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  folder(server: string): string {
    return join(this.root, server)
  }

  partial(server: string, id: string): string {
    return join(this.root, server, `${id}.partial`)
  }

  archive(server: string, id: string): string {
    return join(this.root, server, `${id}.archive`)
  }

  names(server: string, id: string): string {
    return join(this.root, server, `${id}.names`)
  }

  /** @param key of one that has come from another node. */
  repository(server: string, key?: string): string {
    return join(this.root, server, key === undefined ? 'repository' : `repository-${key}`)
  }

  repositoryCache(server: string): string {
    return join(this.root, server, 'repository-cache')
  }

  repositoryDebt(server: string, key?: string): string {
    return `${this.repository(server, key)}.json`
  }

  /** Notes that a backup is being made, so that one that is cut off is told. Ended by `settle` or `remove`. */
  async begin(server: string, id: string): Promise<void> {
    await mkdir(this.folder(server), { recursive: true, mode: 0o700 })
    await writeFile(this.partial(server, id), '', { flag: 'wx', mode: 0o600 })
  }

  /** Its record is written. */
  async settle(server: string, id: string): Promise<void> {
    await rm(this.partial(server, id), { force: true })
  }

  /** Null where nothing is known of it. */
  async record(server: string, id: string): Promise<BackupRecord | null> {
    try {
      return BackupRecord.parse(JSON.parse(await readFile(this.#json(server, id), 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  write(record: BackupRecord): Promise<void> {
    return writeFileAtomic(this.#json(record.report.server, record.report.id), JSON.stringify(record))
  }

  /** Makes the archive that was written whole: on disk first, then under its name. */
  async complete(server: string, id: string): Promise<void> {
    const file = await open(this.partial(server, id), 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(this.partial(server, id), this.archive(server, id))
  }

  /** The record goes first: what is left of a removal that was cut off belongs to nobody. */
  async remove(server: string, id: string): Promise<void> {
    for (const path of [
      this.#json(server, id),
      this.archive(server, id),
      this.partial(server, id),
      this.names(server, id),
    ])
      await rm(path, { force: true })
  }

  /** Clears away what a node that was killed left behind. Returns the backups that it was making. */
  async tidy(now: number): Promise<{ server: string; id: string }[]> {
    const cutOff: { server: string; id: string }[] = []
    for (const server of await namesIn(this.root)) {
      if (!ServerKey.safeParse(server).success) continue
      const names = new Set(await namesIn(this.folder(server)))
      for (const name of names) {
        if (/^repository.*\.(?:new|old)$/.test(name))
          await rm(join(this.folder(server), name), { recursive: true, force: true })
        const [id = '', kind = ''] = name.split('.', 2)
        if (!BackupKey.safeParse(id).success) continue
        const path = join(this.folder(server), name)
        const ended = names.has(`${id}.json`)
        if (kind === 'partial' || (kind === 'archive' && !ended)) {
          await rm(path, { force: true })
          if (!ended) cutOff.push({ server, id })
        } else if (kind === 'json' && name.endsWith('.tmp')) await rm(path, { force: true })
        else if (kind === 'names' && !(ended && names.has(`${id}.archive`) && name === `${id}.names`))
          await rm(path, { force: true })
        else if (kind === 'json' && !names.has(`${id}.archive`) && now - (await stat(path)).mtimeMs > elsewhereKeptMs)
          await rm(path, { force: true })
      }
    }
    return cutOff
  }

  #json(server: string, id: string): string {
    return join(this.root, server, `${id}.json`)
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
