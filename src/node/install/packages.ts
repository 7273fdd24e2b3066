import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AppError } from '../../contract/errors.ts'
import type { Template } from '../../contract/template.ts'
import { newShortId } from '../../lib/ids.ts'
import type { NodeTools } from '../runtime/node-tools.ts'

export type NpmPackages = NonNullable<Template['install']['npm']>

/**
 * npm packages for templates: installed once for all servers that need exactly the same ones, in a folder named after what
 * is in it. Scripts of packages are not run: that would be foreign code outside any sandbox.
 */
export interface SharedPackages extends AsyncDisposable {
  folderOf(npm: NpmPackages): string
  /** Installs them unless they are there. Who asks while it is under way waits for that one. Rejects with an `AppError`. */
  ensure(npm: NpmPackages, progress: (line: string) => void, signal: AbortSignal): Promise<void>
}

/** An installation that takes longer than this hangs, in ms. */
const npmTimeoutMs = 30 * 60_000

/** How many of npm's last lines explain a failure. */
const explainingLines = 3

const unfinished = '.tmp'

/** @param folder where the packages are; what an earlier life left unfinished there is removed. */
export async function openSharedPackages(folder: string, tools: NodeTools): Promise<SharedPackages> {
  await mkdir(folder, { recursive: true, mode: 0o755 })
  for (const name of await readdir(folder))
    if (name.endsWith(unfinished)) await rm(join(folder, name), { recursive: true, force: true })
  const closing = new AbortController()
  const underWay = new Map<string, { done: Promise<void>; listeners: Set<(line: string) => void> }>()
  const folderOf = (npm: NpmPackages): string =>
    join(folder, createHash('sha256').update(JSON.stringify(npm)).digest('hex').slice(0, 32))

  const begin = (npm: NpmPackages, final: string) => {
    const listeners = new Set<(line: string) => void>()
    const done = install(npm, final, tools, closing.signal, (line) => {
      for (const listener of listeners) listener(line)
    }).finally(() => underWay.delete(final))
    // Whoever waits hears of a failure; if all have gone, nobody needs to.
    done.catch(() => undefined)
    const started = { done, listeners }
    underWay.set(final, started)
    return started
  }

  return {
    folderOf,
    async ensure(npm, progress, signal) {
      const final = folderOf(npm)
      if (!underWay.has(final) && (await isThere(final))) return
      const { done, listeners } = underWay.get(final) ?? begin(npm, final)
      listeners.add(progress)
      const cancelled = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      try {
        signal.throwIfAborted()
        await Promise.race([done, cancelled])
      } finally {
        listeners.delete(progress)
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.allSettled([...underWay.values()].map(({ done }) => done))
    },
  }
}

async function install(
  npm: NpmPackages,
  final: string,
  tools: NodeTools,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<void> {
  if (!tools.npm)
    throw new AppError(
      'conflict',
      'This template needs npm and this node has none; install npm and reinstall the server',
    )
  const folder = `${final}.${newShortId()}${unfinished}`
  await mkdir(folder, { mode: 0o755 })
  try {
    await writeFile(join(folder, 'package.json'), npm.packageJson)
    await writeFile(join(folder, 'package-lock.json'), npm.packageLock)
    progress('Installing packages with npm')
    const ci = ['ci', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--no-update-notifier']
    await runTool(tools.node, [join(tools.npm, 'bin/npm-cli.js'), ...ci], folder, signal, progress)
    for (const file of npm.files) await writeFile(join(folder, file.name), file.content)
    // Each server reads them as a user of its own, whatever the node's umask is.
    await runTool('chmod', ['-R', 'a+rX,go-w', '.'], folder, signal, progress)
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
    await rename(folder, final)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Runs a program to its end. A failure is an `AppError` with what it said last. */
async function runTool(
  command: string,
  args: string[],
  cwd: string,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<void> {
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: npmTimeoutMs,
    killSignal: 'SIGKILL',
    signal,
  })
  const last: string[] = []
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      if (line.trim() === '') return
      progress(line)
      last.push(line)
      if (last.length > explainingLines) last.shift()
    })
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code === 0) return
  const full = last.some((line) => line.includes('ENOSPC'))
  throw new AppError(
    'conflict',
    full
      ? 'The disk of this node is full; free some space and reinstall the server'
      : `npm failed: ${last.join(' / ') || `code ${code}`}`,
  )
}

async function isThere(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
