import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { patienceMs } from '../patience.ts'

/** A command that runs, or has run. */
export interface Command {
  child: ChildProcess
  output: () => string
  /** Resolves with the first match in what it has printed; rejects when it ends before. */
  says(words: RegExp): Promise<RegExpExecArray>
  ended: Promise<number | null>
}

/**
 * The product as people start it: a process of its own for each command, with a home and a data folder of the test's.
 * @param more variables besides, and where it is started; here unless given
 */
export function startCommand(
  main: string,
  home: string,
  dataDir: string,
  args: readonly string[],
  { env: more = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Command {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const env = { PATH, NODE_COMPILE_CACHE, HOME: home, PHAROS_DATA_DIR: dataDir, ...more }
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'], ...(cwd && { cwd }) })
  child.stdin.end()
  let output = ''
  const look = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const again of [...look]) again()
    })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    ended,
    output: () => output,
    says: (words) =>
      new Promise((resolve, reject) => {
        const again = (): void => {
          const found = words.exec(output)
          if (!found) return
          look.delete(again)
          resolve(found)
        }
        look.add(again)
        void ended.then(() => reject(new Error(`it ended without saying ${words}:\n${output}`)))
        setTimeout(() => reject(new Error(`it did not say ${words}:\n${output}`)), patienceMs).unref()
        again()
      }),
  }
}
