import { plain, type Setting } from './patch-value.ts'

/**
 * Java's format: `key=value` lines, with comments, `:` or a blank in place of `=`, and lines that go on after a backslash. Other
 * lines stay byte for byte; a key that is not there is added at the end. The text has one character for each byte.
 */
export function patchProperties(text: string, settings: readonly Setting[]): string {
  const lines = logicalLines(text)
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  for (const { at, next } of settings) {
    const mine = lines.filter((line) => line.key === at)
    if (mine.length === 0) {
      const value = next(undefined)
      if (value !== undefined)
        lines.push({ key: at, raw: `${encode(at, true)}=${encode(plain(value), false)}`, value: '' })
    }
    for (const line of mine) {
      const value = next(line.value)
      if (value !== undefined) line.raw = `${encode(at, true)}=${encode(plain(value), false)}`
    }
  }
  return lines.length === 0 ? text : `${lines.map(({ raw }) => raw).join(newline)}${newline}`
}

interface Line {
  /** Null for comments and empty lines. */
  key: string | null
  value: string
  raw: string
}

function logicalLines(text: string): Line[] {
  const found: Line[] = []
  const lines = text.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  for (let at = 0; at < lines.length; at += 1) {
    const raw = [lines[at] as string]
    const isComment = /^\s*[#!]/.test(raw[0] as string)
    while (!isComment && endsOpen(raw.at(-1) as string) && at + 1 < lines.length) {
      at += 1
      raw.push(lines[at] as string)
    }
    const whole = raw
      .map((line, index) =>
        (index === 0 ? line : line.trimStart()).replace(/\\$/, (end) => (index < raw.length - 1 ? '' : end)),
      )
      .join('')
    found.push({
      ...(isComment || whole.trim() === '' ? { key: null, value: '' } : parted(whole.trimStart())),
      raw: raw.join('\n'),
    })
  }
  return found
}

/** An odd number of backslashes at the end. */
function endsOpen(line: string): boolean {
  let count = 0
  while (line[line.length - 1 - count] === '\\') count += 1
  return count % 2 === 1
}

function parted(line: string): { key: string; value: string } {
  let at = 0
  while (at < line.length && !/[=:\s]/.test(line[at] as string)) at += line[at] === '\\' ? 2 : 1
  const rest = line.slice(at).replace(/^\s*[=:]?\s*/, '')
  return { key: decode(line.slice(0, at)), value: decode(rest) }
}

const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' }

const decode = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, unit: string | undefined, char: string | undefined) =>
    unit === undefined ? (letters[char as string] ?? (char as string)) : String.fromCharCode(Number.parseInt(unit, 16)),
  )

/** In ASCII alone, which every version of every game reads alike. */
function encode(text: string, isKey: boolean): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replace(/[\n\r\t\f]/g, (char) => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' })[char] as string)
    .replace(isKey ? /[=:#! ]/g : /^ /, (char) => `\\${char}`)
  let ascii = ''
  for (let at = 0; at < escaped.length; at += 1) {
    const unit = escaped.charCodeAt(at)
    ascii += unit < 0x20 || unit > 0x7e ? `\\u${unit.toString(16).padStart(4, '0')}` : escaped[at]
  }
  return ascii
}
