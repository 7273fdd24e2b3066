import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { toolEnvironment } from '../runtime/launch.ts'

const run = promisify(execFile)

/** A folder with so many files that counting takes longer than this keeps its last number, in ms. */
const measureTimeoutMs = 20_000

/** The space that a folder takes on disk, in bytes; null when that cannot be told now. Never leaves its file system or follows a link. */
export async function measureDisk(folder: string, signal: AbortSignal): Promise<number | null> {
  try {
    const options = { env: toolEnvironment, timeout: measureTimeoutMs, signal }
    const { stdout } = await run(
      'nice',
      ['du', '--summarize', '--one-file-system', '--block-size=1', '--', folder],
      options,
    )
    return Number.parseInt(stdout, 10)
  } catch (error) {
    // Files that vanish while du looks make it fail, with a number that is right enough.
    const partial = Number.parseInt(String((error as { stdout?: unknown }).stdout ?? ''), 10)
    return Number.isSafeInteger(partial) ? partial : null
  }
}
