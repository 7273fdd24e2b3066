import { bytes } from './ini.ts'
import { plain, type Setting } from './patch-value.ts'

/**
 * Any text: each line that begins with `at` is replaced as a whole. Nothing is added, so a file that does not exist stays so.
 * The text has one character for each byte.
 */
export function patchLines(text: string, settings: readonly Setting[]): string {
  const wanted = settings.map(({ at, next }) => ({ at: bytes(at), next }))
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  return text
    .split(/\r?\n/)
    .map((line) => {
      const setting = wanted.find(({ at }) => line.startsWith(at))
      const next = setting?.next(line)
      return next === undefined ? line : bytes(plain(next)).replace(/\r\n|\n|\r/g, newline)
    })
    .join(newline)
}
