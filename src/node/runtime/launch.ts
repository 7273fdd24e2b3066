import { execFile, spawn } from 'node:child_process'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../../contract/errors.ts'
import { serverFiles } from '../runtime.ts'
import { readBootId } from './proc.ts'

const run = promisify(execFile)

/** What the system tools that we start need, and nothing that the node's own environment may hold. */
export const toolEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

/** Says who it is, joins the control groups, gives up core dumps, and becomes the rest. */
const launcherScript = `IFS= read -r stat < /proc/self/stat
printf '{"launcher":"%s"}\\n' "$stat" >&3
ulimit -c 0
joins=$1
shift
while [ "$joins" -gt 0 ]; do
  echo $$ > "$1" || exit 125
  shift
  joins=$((joins - 1))
done
exec "$@"`

export interface LaunchPlan {
  folder: string
  cwd: string
  /** Files in which the launcher writes its id: control groups. */
  joins: readonly string[]
  /** What the launcher becomes. */
  command: readonly string[]
  /** What the command can read from descriptor 4: keeps values out of the process list. */
  secretInput: string
}

/**
 * Starts a process that outlives this one: descriptors 0 to 2 are the server's own files, 3 is its status file.
 * Resolves once the process exists.
 */
export async function launch(plan: LaunchPlan): Promise<{ exited: Promise<void> }> {
  const path = (name: string): string => join(plan.folder, name)
  await rm(path(serverFiles.input), { force: true })
  await rm(path(serverFiles.status), { force: true })
  await run('mkfifo', ['-m', '600', path(serverFiles.input)], { env: toolEnvironment })
  const handles: FileHandle[] = []
  const opened = async (file: string, flags: string): Promise<number> => {
    const handle = await open(file, flags, 0o600)
    handles.push(handle)
    return handle.fd
  }
  try {
    // Read and write: so the FIFO stays open for as long as the process lives, whoever else comes and goes.
    const input = await opened(path(serverFiles.input), 'r+')
    const log = await opened(path(serverFiles.log), 'a')
    const status = await opened(path(serverFiles.status), 'ax')
    await handles[2]?.writeFile(`${JSON.stringify({ boot: await readBootId() })}\n`)
    const secrets = path('launch.tmp')
    await rm(secrets, { force: true })
    const writer = await open(secrets, 'wx', 0o600)
    await writer.writeFile(plan.secretInput).finally(() => writer.close())
    const secretInput = await opened(secrets, 'r')
    await rm(secrets)
    const child = spawn(
      '/bin/sh',
      ['-c', launcherScript, 'sh', String(plan.joins.length), ...plan.joins, ...plan.command],
      {
        cwd: plan.cwd,
        env: toolEnvironment,
        stdio: [input, log, log, status, secretInput],
        detached: true,
      },
    )
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    return { exited }
  } catch (error) {
    throw launchError(error)
  } finally {
    for (const handle of handles) await handle.close()
  }
}

function launchError(error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC')
    return new AppError('conflict', 'The disk of this node is full; free some space and start again', { cause: error })
  if (code === 'EAGAIN')
    return new AppError(
      'conflict',
      'This node cannot make more processes at the moment; stop something and start again',
      { cause: error },
    )
  return error instanceof Error ? error : new Error(String(error))
}

/** Quotes for `sh`: nothing inside is expanded. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
