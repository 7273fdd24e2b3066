import type { ChildProcess } from 'node:child_process'
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
