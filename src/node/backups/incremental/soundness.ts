import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { conflict } from '../../../contract/errors.ts'
import { toolEnvironment } from '../../runtime/launch.ts'

/** What a repository is made of: each file in these folders is named by the SHA-256 of what is in it. */
const named = ['data', 'index', 'keys', 'snapshots']

/** Reads every file of a repository again. Throws `conflict` where one is not what it was made as. */
export async function mustBeSound(folder: string, signal: AbortSignal): Promise<void> {
  await access(join(folder, 'config')).catch(() => {
    throw broken('config')
  })
  for (const kind of named)
    for (const file of await readdir(join(folder, kind), { recursive: true, withFileTypes: true })) {
      if (file.isDirectory()) continue
      if (!file.isFile()) throw broken(file.name)
      const hash = createHash('sha256')
      await pipeline(createReadStream(join(file.parentPath, file.name), { highWaterMark: readBytes }), hash, { signal })
      if (hash.digest('hex') !== file.name) throw broken(file.name)
    }
}

/** Resolves once everything that was written to the file system of this folder is on its disk. */
export async function flush(folder: string): Promise<void> {
  const child = spawn('sync', ['-f', folder], { env: toolEnvironment, stdio: 'ignore' })
  await once(child, 'close')
}

/** One read, in bytes. */
const readBytes = 256 * 1024

const broken = (name: string) =>
  conflict(`What arrived of incremental backups is not what was made (${name.slice(0, 100)})`)
