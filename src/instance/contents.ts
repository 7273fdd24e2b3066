import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** The only form of a backup's list that there is. */
export const manifestVersion = 1

/** The first entry of a backup: what it holds, so that what is missing or was changed on the way is seen before anything is replaced. */
export const Manifest = z.strictObject({
  version: z.literal(manifestVersion),
  /** The program that made it. */
  pharos: z.string().max(100),
  /** In ms since 1970. */
  createdAt: z.int(),
  /** Null: there was none. Its tables are files of their own, one row a line, and say nothing of the kind of database. */
  database: z
    .strictObject({
      kind: z.enum(['sqlite', 'postgres']),
      migrations: z.array(z.string().max(100)).min(1).max(1000),
      tables: z.array(z.string().regex(/^[a-z][a-z0-9_]{0,62}$/)).max(1000),
    })
    .nullable(),
  files: z
    .array(
      z.strictObject({
        /** Below the data folder, with `/`. */
        path: z.string().regex(/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/){0,8}[A-Za-z0-9_-][A-Za-z0-9._-]*$/),
        size: z.int().min(0),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(100_000),
})
export type Manifest = z.output<typeof Manifest>

export const manifestName = 'manifest.json'

/** The rows of a table, a JSON object a line. */
export const tablePath = (table: string): string => `database/${table}.ndjson`
/** Where a SQLite database lies in a data folder. */
export const databasePath = 'panel/pharos.db'

/** What a restore puts back as a whole: each is moved in one step. Of a node only what it is, not what its servers are. */
export const partOf = (path: string): string => {
  const [role = '', entry = ''] = path.split('/')
  return role === 'node' ? `${role}/${entry}` : role
}

/** Large, or of use on this machine alone: servers have backups of their own. */
const leftOut: Readonly<Record<string, RegExp>> = {
  panel: /^pharos\.db|\.lock$/,
  node: /^(?:servers|backups|packages|probe|quota-probe-.*|transfers|cache)$|\.lock$/,
  edge: /\.lock$/,
}

/** The files of a data folder that a backup keeps, besides its database: keys, identities, counters, settings. */
export async function keptFiles(dataDir: string): Promise<string[]> {
  const found: string[] = []
  for (const [role, not] of Object.entries(leftOut)) await gather(dataDir, role, not, found)
  if (await isFile(join(dataDir, 'pharos.yaml'))) found.push('pharos.yaml')
  return found.sort()
}

async function gather(dataDir: string, folder: string, not: RegExp | null, found: string[]): Promise<void> {
  const entries = await readdir(join(dataDir, folder), { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`
    if (not?.test(entry.name) || !nameKept.test(entry.name)) continue
    if (entry.isDirectory()) await gather(dataDir, path, null, found)
    else if (entry.isFile()) found.push(path)
  }
}

/** Half-written files of an atomic replacement end in `.tmp`; others of ours have plain names. */
const nameKept = /^(?!.*\.tmp$)[A-Za-z0-9_-][A-Za-z0-9._-]*$/

const isFile = async (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isFile(),
    () => false,
  )
