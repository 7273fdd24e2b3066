import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { AppError, conflict } from '../../../contract/errors.ts'
import type { Log } from '../../../lib/log.ts'
import type { DebianPackages } from '../../install/debian.ts'
import { isIn } from '../../install/programs.ts'
import { toolEnvironment } from '../../runtime/launch.ts'

const run = promisify(execFile)

/** Each program, and the Debian package that has it. */
const packageOf = { restic: 'restic', bwrap: 'bubblewrap' } as const

export interface ResticPrograms extends AsyncDisposable {
  /** Resolves once restic and its sandbox are there. Rejects with a `conflict` that says what to do. */
  ensure(): Promise<void>
  /** Null where it is not installed. Never rejects. */
  version(): Promise<string | null>
}

export interface ResticProgramsOptions {
  /** Null where nothing is ever installed. */
  debian: DebianPackages | null
  log: Log
  isRoot?: boolean
  /** Where they are looked for: the system's folders unless given. */
  folders?: readonly string[]
}

/** Installs restic when the first incremental backup is made. An installation goes on after its caller has left. */
export function createResticPrograms(options: ResticProgramsOptions): ResticPrograms {
  const { debian, log, isRoot = process.getuid?.() === 0, folders = toolEnvironment.PATH.split(':') } = options
  const closing = new AbortController()
  let ensuring: Promise<void> | null = null
  let known: string | null = null

  const missing = async (): Promise<string[]> => {
    const there = await Promise.all(Object.keys(packageOf).map((program) => isIn(folders, program)))
    return Object.values(packageOf).filter((_, index) => !there[index])
  }

  const install = async (from: DebianPackages, packages: readonly string[]): Promise<void> => {
    log.info({ packages }, 'installing what incremental backups need')
    try {
      await from.ensure(packages, () => undefined, closing.signal)
    } catch (cause) {
      log.warn({ err: cause }, 'what incremental backups need could not be installed')
      throw new AppError(
        'conflict',
        `${packages.join(' and ')} could not be installed on this node: run "${byHand(packages)}" there to see why, or make a plain archive`,
        { cause },
      )
    }
  }

  const bring = async (): Promise<void> => {
    const packages = await missing()
    if (packages.length === 0) return
    if (!isRoot || !debian)
      throw conflict(
        `Incremental backups need ${packages.join(' and ')} on this node: have root run "${byHand(packages)}" there, or make a plain archive`,
      )
    await install(debian, packages)
  }

  return {
    ensure() {
      ensuring ??= bring().finally(() => {
        ensuring = null
      })
      return ensuring
    },
    async version() {
      if (known !== null) return known
      if (!(await isIn(folders, 'restic'))) return null
      const words = await run('restic', ['version'], { env: toolEnvironment, timeout: versionMs }).then(
        ({ stdout }) => stdout,
        () => '',
      )
      known = /^restic ([0-9][^\s]{0,40})/.exec(words)?.[1] ?? null
      return known
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await ensuring?.catch(() => undefined)
    },
  }
}

/** A program says its version at once, in ms. */
const versionMs = 10_000

const byHand = (packages: readonly string[]): string => `apt-get install --no-install-recommends ${packages.join(' ')}`
