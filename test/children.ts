import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** The first line that a child prints. @throws Error when it ends without one, which would else be waited for in vain */
export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const { stdout } = child
    if (!stdout) throw new Error('The output of this child is not ours')
    createInterface(stdout).once('line', resolve)
    child.once('error', reject)
    child.once('close', (code, signal) => reject(new Error(`It ended (${code ?? signal}) and printed nothing`)))
  })
}

/** The first message of a child. @throws Error when it ends without one */
export function firstMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`It ended (${code ?? signal}) and said nothing`)))
  })
}

/** `kill -9`; resolves once it is gone, also when it was before. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
