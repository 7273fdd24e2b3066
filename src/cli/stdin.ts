import { isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { isCancel, password } from '@clack/prompts'
import { CommandError } from './command.ts'

/** A secret is at most a key or a password; more is a wrong file. */
const secretBytesMax = 4096

/**
 * A secret from standard input: asked for without echo at a terminal, else all that is piped in, without its last line break.
 * Secrets never come as arguments, which every user of the machine can read.
 */
export async function readSecret(stdin: Readable & { isTTY?: boolean }, question: string): Promise<string> {
  if (stdin.isTTY) {
    const answer = await password({ message: question, input: stdin, output: process.stderr })
    if (isCancel(answer)) throw new CommandError('Nothing was entered.')
    return answer.trim()
  }
  let text = ''
  stdin.setEncoding('utf8')
  stdin.on('data', (part: string) => {
    text += part
    if (text.length > secretBytesMax) stdin.destroy(new CommandError('Standard input is too long for a secret.'))
  })
  await once(stdin, 'end')
  return text.replace(/\r?\n$/, '')
}

/** All that comes on standard input. Throws a `CommandError` where it is too long or no UTF-8. */
export async function readText(stdin: Readable, bytesMax: number): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of stdin as AsyncIterable<Buffer | string>) {
    const part = Buffer.from(piece as string)
    bytes += part.length
    if (bytes > bytesMax) throw new CommandError(`Standard input has more than ${bytesMax} bytes; upload it as a file.`)
    pieces.push(part)
  }
  const all = Buffer.concat(pieces)
  if (!isUtf8(all)) throw new CommandError('Standard input is no text in UTF-8; upload it as a file.')
  return all.toString()
}
