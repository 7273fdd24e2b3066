import { type LineStyle, stylesPerLineMax } from '../../contract/console.ts'
import { printableLine } from '../../lib/printable.ts'

/** A line is cut after this many bytes: longer than any line that people read, short enough to send a thousand at once. */
export const lineBytesMax = 8 * 1024

/**
 * The readable text of one line of game output, whatever bytes it holds: no escape sequences, no control characters, broken
 * UTF-8 replaced. Of a line that was drawn over itself (a progress bar) the last version is kept, as a terminal would show it.
 */
export const plainText = (bytes: Uint8Array): string => readable(decoded(bytes))

/** The readable text with what colours it, which is all that is kept of escape sequences. */
export function textAndStyles(bytes: Uint8Array): { text: string; styles?: LineStyle[] } {
  const raw = decoded(bytes)
  const text = readable(raw)
  if (!raw.includes('\u001b[')) return { text }
  // Text and parameters by turns.
  const parts = (raw.split('\r').findLast((part) => readable(part) !== '') ?? '').split(selectGraphicRendition)
  const styles: LineStyle[] = []
  let before = ''
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 0) before += readable(part)
    else if (styles.length < stylesPerLineMax) styles.push({ from: before.length, sgr: part })
  }
  // Sequences can stand inside others that are no text: then the places would be wrong, and the line stays plain.
  const colours = before === text && styles.some(({ from, sgr }) => from < text.length && /[1-9]/.test(sgr))
  return colours ? { text, styles } : { text }
}

/** `ESC [ numbers m`, no longer than the contract takes it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const selectGraphicRendition = /\u001b\[([0-9;]{0,40})m/

const decoded = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

/** The last version that shows something. */
function readable(raw: string): string {
  for (const version of raw.split('\r').reverse()) {
    const text = printableLine(version)
    if (text !== '') return text
  }
  return ''
}
