import { stripVTControlCharacters } from 'node:util'
import { printableLine } from '../../lib/printable.ts'

/** A line is cut after this many bytes: longer than any line that people read, short enough to send a thousand at once. */
export const lineBytesMax = 8 * 1024

/**
 * The readable text of one line of game output, whatever bytes it holds: no escape sequences, no control characters, broken
 * UTF-8 replaced. Of a line that was drawn over itself (a progress bar) the last version is kept, as a terminal would show it.
 */
export function plainText(bytes: Uint8Array): string {
  const text = stripVTControlCharacters(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  const drawn = text.split('\r').filter((part) => part !== '')
  return printableLine(drawn.at(-1) ?? '')
}
