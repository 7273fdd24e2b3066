import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { toolEnvironment } from '../runtime/launch.ts'

const run = promisify(execFile)

/** A folder with so many files that counting takes longer than this keeps its last number, in ms. */
const measureTimeoutMs = 20_000

/** The space that a folder takes on disk, in bytes; null when that cannot be told now. Never leaves its file system or follows a link. */
export function measureDisk(folder: string, signal: AbortSignal): Promise<number | null> {
  return summarize(['--block-size=1'], folder, signal)
}

/**
 * Files, folders and links that a server may have for each MiB of its disk limit, so that servers do not take each other's: one for
 * 8 KiB, which is about what the files of npm packages have, the smallest that servers have many of.
 */
const filesPerMib = 128

/** And as many as this however small its limit is: a small server has its packages too. */
const filesMin = 100_000

export const filesMaxOf = (limitBytes: number): number =>
  Math.max(filesMin, Math.floor((limitBytes / (1024 * 1024)) * filesPerMib))

/** The files, folders and links in a folder; null when that cannot be told now. */
export function countFiles(folder: string, signal?: AbortSignal): Promise<number | null> {
  return summarize(['--inodes'], folder, signal)
}

async function summarize(what: readonly string[], folder: string, signal?: AbortSignal): Promise<number | null> {
  try {
    const options = { env: toolEnvironment, timeout: measureTimeoutMs, ...(signal ? { signal } : {}) }
    const { stdout } = await run('nice', ['du', '--summarize', '--one-file-system', ...what, '--', folder], options)
    return Number.parseInt(stdout, 10)
  } catch (error) {
    // Files that vanish while du looks make it fail, with a number that is right enough.
    const partial = Number.parseInt(String((error as { stdout?: unknown }).stdout ?? ''), 10)
    return Number.isSafeInteger(partial) ? partial : null
  }
}
