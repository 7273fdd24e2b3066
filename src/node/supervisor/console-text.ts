import { stripVTControlCharacters } from 'node:util'

/** A line is cut after this many bytes: longer than any line that people read, short enough to send a thousand at once. */
export const lineBytesMax = 8 * 1024

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed. Tabs stay; direction overrides can make text read as something else.
const unprintable = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/**
 * The readable text of one line of game output, whatever bytes it holds: no escape sequences, no control characters, broken
 * UTF-8 replaced. Of a line that was drawn over itself (a progress bar) the last version is kept, as a terminal would show it.
 */
export function plainText(bytes: Uint8Array): string {
  const text = stripVTControlCharacters(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  const drawn = text.split('\r').filter((part) => part !== '')
  return (drawn.at(-1) ?? '').replace(unprintable, '')
}
