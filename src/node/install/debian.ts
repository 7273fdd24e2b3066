import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { AppError } from '../../contract/errors.ts'
import { Queue } from '../../lib/queue.ts'
import { toolEnvironment } from '../runtime/launch.ts'

const run = promisify(execFile)

/** Packages of the operating system that templates need. */
export interface DebianPackages {
  /** Installs those that are missing; one call at a time. Rejects with an `AppError` that says what to do by hand. */
  ensure(names: readonly string[], progress: (line: string) => void, signal: AbortSignal): Promise<void>
}

/** How long another package manager may hold the lock, in seconds. */
const lockTimeoutSeconds = 400

export function createDebianPackages(isRoot = process.getuid?.() === 0): DebianPackages {
  const queue = new Queue()
  const ensure = async (
    names: readonly string[],
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    signal.throwIfAborted()
    const missing = await missingPackages(names)
    if (missing.length === 0) return
    const byHand = `apt-get install --no-install-recommends ${missing.join(' ')}`
    if (!isRoot)
      throw new AppError(
        'conflict',
        `This node needs packages that only root can install: run "${byHand}" there, then reinstall the server`,
      )
    progress(`Installing ${missing.join(', ')} with apt`)
    const install = [
      'install',
      '-y',
      '--no-install-recommends',
      // What the machine has for other purposes stays, whatever the packages conflict with.
      '--no-remove',
      '-o',
      `DPkg::Lock::Timeout=${lockTimeoutSeconds}`,
      '--',
      ...missing,
    ]
    if (await apt(install, progress, signal)) return
    // The package lists may be missing or older than the mirror.
    if ((await apt(['update'], progress, signal)) && (await apt(install, progress, signal))) return
    signal.throwIfAborted()
    throw new AppError(
      'conflict',
      `apt could not install ${missing.join(', ')}: run "${byHand}" on the node to see why, then reinstall the server`,
    )
  }
  return {
    ensure: (names, progress, signal) =>
      names.length === 0 ? Promise.resolve() : queue.run(() => ensure(names, progress, signal)),
  }
}

async function missingPackages(names: readonly string[]): Promise<string[]> {
  const missing: string[] = []
  for (const name of names) {
    const status = await run('dpkg-query', ['-W', '-f', '$' + '{db:Status-Status}', '--', name], {
      env: toolEnvironment,
    }).then(
      (result) => result.stdout,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') {
          throw new AppError(
            'conflict',
            `This template needs the Debian packages ${names.join(', ')}, and this machine is no Debian; use another node`,
          )
        }
        return ''
      },
    )
    if (status !== 'installed') missing.push(name)
  }
  return missing
}

async function apt(args: string[], progress: (line: string) => void, signal: AbortSignal): Promise<boolean> {
  const child = spawn('apt-get', args, {
    env: { ...toolEnvironment, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // An aborted apt-get gets the chance to leave the package database whole.
    signal,
    killSignal: 'SIGTERM',
  })
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on('line', progress)
  return new Promise((resolve) => {
    child.once('error', () => undefined)
    child.once('close', (code) => resolve(code === 0))
  })
}
