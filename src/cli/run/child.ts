import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { processTree } from './listeners.ts'

export interface Child {
  readonly pid: number
  /** Resolves with its exit code; 128 and the number of the signal where one ended it. */
  readonly ended: Promise<number>
  /** Asks it, and everything it started, to end. Kills what still runs after `graceMs`. Resolves when it has ended. */
  end(signal: NodeJS.Signals, told: boolean): Promise<void>
}

export interface ChildOptions {
  command: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Its standard output is ours, or our standard error where ours is for data. */
  outputTo: 'stdout' | 'stderr'
}

/** Containers are given ten seconds to end; what takes much longer never does, ms. */
const graceMs = 15_000

/** Starts a command with our standard input, and with the programs of the project's packages in its path. Rejects where it cannot be started. */
export async function startChild({ command, env, cwd, outputTo }: ChildOptions): Promise<Child> {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd,
    env: { ...env, PATH: pathFrom(cwd, env.PATH) },
    stdio: ['inherit', outputTo === 'stdout' ? 'inherit' : 2, 'inherit'],
  })
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  const { pid = 0 } = child
  return {
    pid,
    ended,
    async end(signal, told) {
      // The tree as it is now: who has lost its parent later is not found any more.
      const tree = await processTree(pid)
      if (!told) sendTo(tree, signal)
      const late = setTimeout(() => sendTo(tree, 'SIGKILL'), graceMs)
      await ended
      clearTimeout(late)
      // A shell between us and a server may end before it, without a word to it.
      sendTo(tree.slice(1), 'SIGTERM')
    },
  }
}

/** With every `node_modules/.bin` above, as npm has it. */
function pathFrom(cwd: string, path = ''): string {
  const folders: string[] = []
  for (let at = cwd; ; at = dirname(at)) {
    folders.push(join(at, 'node_modules', '.bin'))
    if (dirname(at) === at) break
  }
  return [...folders, path].join(delimiter)
}

function sendTo(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
}
