import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { conflict, invalidRequest } from '../../contract/errors.ts'

/** The kernel writes up to this many bytes into a pipe as one piece, so commands of two people never mix (PIPE_BUF). */
const commandBytesMax = 4096

/**
 * Writes one line to a server's console. Never waits for the server: one that does not read its input is a conflict.
 * @param path the FIFO that the server's process holds open.
 */
export async function writeCommand(path: string, command: string): Promise<void> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(command))
    throw invalidRequest('command', 'must be one line without control characters')
  const line = Buffer.from(`${command}\n`)
  if (line.length > commandBytesMax)
    throw invalidRequest('command', `is too long: at most ${commandBytesMax - 1} bytes`)
  const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENXIO' || error.code === 'ENOENT')
      throw conflict('The server is not running; start it before sending commands')
    throw error
  })
  try {
    await file.write(line)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
      throw conflict('The server does not read its console at the moment; try again, or restart it if that goes on')
    }
    throw error
  } finally {
    await file.close()
  }
}
