import { plain, type Setting } from './patch-value.ts'

/**
 * `[section]` and `key = value`. `at` is `section.key`, or a key above the first section; a section in brackets may hold dots
 * (`[/Script/Game.Mode].Key`). Comments and other lines stay. The text has one character for each byte.
 */
export function patchIni(text: string, settings: readonly Setting[]): string {
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const lines = text.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  for (const { at, next } of settings) {
    const place = placeOf(at)
    const section = bytes(place.section)
    const key = bytes(place.key)
    const { from, to } = linesOf(lines, section)
    let found = false
    for (let index = from; index < to; index += 1) {
      const [, before = '', name = '', now = ''] = /^(\s*([^=;#[\]]+?)\s*=\s*)(.*)$/s.exec(lines[index] as string) ?? []
      if (name !== key) continue
      found = true
      const value = next(now.trim())
      if (value !== undefined)
        lines[index] = `${before.replace(/\s*$/, before.includes(' =') ? ' ' : '')}${oneLine(plain(value))}`
    }
    if (found) continue
    const value = next(undefined)
    if (value === undefined) continue
    const line = `${key}=${oneLine(plain(value))}`
    if (to >= 0) lines.splice(lastOf(lines, from, to), 0, line)
    else lines.push(...(lines.length > 0 ? [''] : []), `[${section}]`, line)
  }
  return lines.length === 0 ? text : `${lines.join(newline)}${newline}`
}

function placeOf(at: string): { section: string; key: string } {
  const [, bracketed, rest] = /^\[(.+)\]\.(.+)$/s.exec(at) ?? []
  if (bracketed !== undefined && rest !== undefined) return { section: bracketed, key: rest }
  const dot = at.indexOf('.')
  return dot === -1 ? { section: '', key: at } : { section: at.slice(0, dot), key: at.slice(dot + 1) }
}

/** The lines of a section: `to` is -1 where there is none of that name. Above the first one is the one without a name. */
function linesOf(lines: readonly string[], section: string): { from: number; to: number } {
  const isHead = (line: string): boolean => /^\s*\[.*\]\s*(?:[;#].*)?$/.test(line)
  const head = (line: string): string => /^\s*\[(.*)\]/.exec(line)?.[1]?.trim() ?? ''
  const start = section === '' ? 0 : lines.findIndex((line) => isHead(line) && head(line) === section) + 1
  if (section !== '' && start === 0) return { from: 0, to: -1 }
  const end = lines.findIndex((line, index) => index >= start && isHead(line))
  return { from: start, to: end === -1 ? lines.length : end }
}

/** Behind the last line that is not empty, so that a new key stands with the others of its section. */
function lastOf(lines: readonly string[], from: number, to: number): number {
  let at = to
  while (at > from && (lines[at - 1] as string).trim() === '') at -= 1
  return at
}

/** A line break would begin another setting. */
const oneLine = (text: string): string => bytes(text.replace(/[\r\n]+/g, ' '))

/** UTF-8 as one character for each byte. */
export const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
