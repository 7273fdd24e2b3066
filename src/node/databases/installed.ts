import { AppError, conflict } from '../../contract/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { DebianPackages } from '../install/debian.ts'
import { isIn } from '../install/programs.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { installWaitMs } from './limits.ts'

/** MariaDB's programs without its service: nothing listens on 3306, nothing starts at boot. */
const packages = ['mariadb-server-core', 'mariadb-client-core']

const byHand = `apt-get install --no-install-recommends ${packages.join(' ')}`

export interface MariadbPrograms extends AsyncDisposable {
  /** Resolves once they are there. Rejects with a `conflict` that says what to do, or how far the installation has come. */
  ensure(): Promise<void>
}

export interface MariadbProgramsOptions {
  debian: DebianPackages
  log: Log
  isRoot: boolean
  /** Where they are looked for: the system's folders unless given. */
  folders?: readonly string[] | undefined
}

/** Installs MariaDB's programs when they are first needed. An installation goes on after a caller has left. */
export function createMariadbPrograms(options: MariadbProgramsOptions): MariadbPrograms {
  const { debian, log, isRoot, folders = toolEnvironment.PATH.split(':') } = options
  const closing = new AbortController()
  let installing: Promise<void> | null = null
  let progress = ''

  const install = async (): Promise<void> => {
    log.info({ packages }, 'installing MariaDB for the databases of servers')
    try {
      const note = (line: string): void => {
        progress = line
      }
      await debian.ensure(packages, note, closing.signal)
      log.info('MariaDB is installed')
    } catch (cause) {
      log.warn({ err: cause }, 'MariaDB could not be installed')
      throw new AppError(
        'conflict',
        `MariaDB could not be installed on this node: run "${byHand}" there to see why, then try again.`,
        { cause },
      )
    }
  }

  return {
    async ensure() {
      if (await areThere(folders)) return
      if (!isRoot)
        throw conflict(`Databases need MariaDB on this node: have root run "${byHand}" there, then try again.`)
      installing ??= install().finally(() => {
        installing = null
      })
      if ((await within(installWaitMs, installing)) === 'late')
        throw conflict(`MariaDB is being installed on this node (${plain(progress)}). Try again in a minute.`)
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await installing?.catch(() => undefined)
    },
  }
}

async function areThere(folders: readonly string[]): Promise<boolean> {
  const needed = ['mariadbd', 'mariadb-install-db', 'my_print_defaults']
  return (await Promise.all(needed.map((program) => isIn(folders, program)))).every((found) => found)
}

async function within(ms: number, work: Promise<void>): Promise<'done' | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms)
  })
  try {
    return await Promise.race([work.then(() => 'done' as const), late])
  } finally {
    clearTimeout(timer)
  }
}

/** The package manager's words, short enough for a sentence. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const plain = (line: string): string => line.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 100)
