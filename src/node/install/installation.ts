import { AppError } from '../../contract/errors.ts'
import type { ServerSpec } from '../../contract/node.ts'
import type { Run, Runtime } from '../runtime.ts'
import {
  commandOf,
  containerOf,
  environmentOf,
  limitsOf,
  sharedOf,
  writeTemplateFiles,
} from '../supervisor/launch-request.ts'
import type { DebianPackages } from './debian.ts'
import type { SharedPackages } from './packages.ts'
import { type EggScript, scriptCommand } from './script.ts'

export interface InstallationOptions {
  spec: ServerSpec
  folder: string
  runtime: Runtime
  packages: SharedPackages
  debian: DebianPackages
  /** One line of what is going on. */
  progress(line: string): void
  /** The template's own installation program has begun. */
  onRun(run: Run): void
  /** Called before that: what is running must be found again after a crash of ours. */
  beforeRun(): Promise<void>
  signal: AbortSignal
}

/**
 * Makes a server ready for its first start: packages, files, then the template's own program inside the sandbox. May be
 * repeated at any time, also after it was cut off anywhere. Rejects with an `AppError` that says what went wrong.
 */
export async function install(options: InstallationOptions): Promise<void> {
  const { spec, folder, runtime, progress } = options
  const { install: wanted } = spec.template
  const timeout = AbortSignal.timeout(wanted.timeoutSeconds * 1000)
  const signal = AbortSignal.any([options.signal, timeout])
  try {
    if (wanted.npm) await options.packages.ensure(wanted.npm, progress, signal)
    const container = containerOf(spec)
    if (container) await runtime.provide(container.image, progress, signal)
    // What a container's programs need is in its image.
    else await options.debian.ensure(wanted.debian, progress, signal)
    signal.throwIfAborted()
    await runtime.sweep(folder)
    await writeTemplateFiles(spec, folder, runtime, options.packages)
    if (wanted.run) await runProgram(options, wanted.run, signal)
    if (wanted.script) await runScript(options, wanted.script, signal)
    signal.throwIfAborted()
  } catch (error) {
    if (options.signal.aborted) throw new AppError('conflict', 'The installation was cancelled', { cause: error })
    if (timeout.aborted)
      throw new AppError('conflict', `The installation took longer than ${wanted.timeoutSeconds} seconds`, {
        cause: error,
      })
    throw error
  }
}

function runProgram(options: InstallationOptions, program: readonly string[], signal: AbortSignal): Promise<void> {
  const { spec, folder, runtime, packages } = options
  const command = commandOf(program, spec, folder, runtime, packages)
  return watchRun(options, () => runtime.start({ ...launchOf(options), command }), signal)
}

/** In a container of its own where the server runs in one, else by the sandbox's shell. */
async function runScript(options: InstallationOptions, script: EggScript, signal: AbortSignal): Promise<void> {
  const { runtime, spec } = options
  const { image, entrypoint, text } = script
  if (spec.container && runtime.install) {
    await runtime.provide(image, options.progress, signal)
    options.progress(`The installation script runs in a container of ${image}`)
    const { folder, environment, limits } = launchOf(options)
    const begin = runtime.install.bind(runtime)
    return watchRun(options, () => begin({ folder, environment, limits, image, entrypoint, script: text }), signal)
  }
  // The text of a script has braces of its own: nothing is filled in.
  const command = scriptCommand(script, runtime, options.progress)
  return watchRun(options, () => runtime.start({ ...launchOf(options), command }), signal)
}

const launchOf = ({ spec, folder, runtime, packages }: InstallationOptions) => ({
  folder,
  environment: environmentOf(spec, folder, runtime, packages),
  limits: limitsOf(spec),
  shared: sharedOf(spec, packages),
  container: containerOf(spec),
})

async function watchRun(options: InstallationOptions, begin: () => Promise<Run>, signal: AbortSignal): Promise<void> {
  const { spec } = options
  options.progress('Running the installation program')
  await options.beforeRun()
  const run = await begin()
  options.onRun(run)
  const onAbort = (): void => void run.kill()
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  try {
    const end = await run.ended
    signal.throwIfAborted()
    if (end.outOfMemory)
      throw new AppError(
        'conflict',
        `The installation program ran out of memory: it may use ${spec.resources.memory} MiB`,
      )
    if (end.code !== 0)
      throw new AppError(
        'conflict',
        `The installation program ended with ${end.signal ?? `code ${end.code ?? 'unknown'}`}; the console shows its output`,
      )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  // What root of an installation's container has made becomes the server's.
  await options.runtime.sweep(options.folder)
}
