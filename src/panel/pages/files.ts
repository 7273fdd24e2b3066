import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

/** One file of the built web UI, and itself compressed where the build made that. */
export interface WebFile {
  readonly type: string
  readonly content: Buffer
  readonly brotli: Buffer | null
  readonly gzip: Buffer | null
  /** Its name changes with its content: browsers may keep it for ever. */
  readonly immutable: boolean
}

/** What the build of the web UI made, by path: `/index.html`, `/assets/…`. Empty where it was not built. All of it is about 2 MB. */
export async function readWebFiles(folder: string): Promise<ReadonlyMap<string, WebFile>> {
  const files = new Map<string, WebFile>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
  const read = (path: string): Promise<Buffer> => readFile(join(folder, path))
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/').replace(/^\//, ''))
  const known = new Set(names)
  for (const name of names) {
    const type = types[extname(name)]
    if (type === undefined) continue
    files.set(`/${name}`, {
      type,
      content: await read(name),
      brotli: known.has(`${name}.br`) ? await read(`${name}.br`) : null,
      gzip: known.has(`${name}.gz`) ? await read(`${name}.gz`) : null,
      immutable: name.startsWith('assets/'),
    })
  }
  return files
}

/** Other files are not served. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
}
