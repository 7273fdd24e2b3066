import { Writable } from 'node:stream'
import { renderUnicodeCompact } from 'uqr'
import { printableText } from '../lib/printable.ts'

/** Where a command writes: what was asked for goes to `data`, everything said along the way to `talk`. */
export interface Output {
  /** The result of the command. With `--json` it is printed as one JSON value, else in the form for people. */
  result(value: unknown, forPeople: () => string): void
  /** One of several results that come as they happen: with `--json` one JSON value a line. */
  event(value: unknown, forPeople: () => string | null): void
  /** A line about what is going on, for the person at the terminal; never data. */
  talk(line: string): void
  /** How far long work is, in one line that the next one replaces; null when it is over. Shown at a terminal alone. */
  progress(line: string | null): void
  /** Standard output is for one reader that knows JSON. */
  readonly asJson: boolean
}

export interface Streams {
  data: (text: string) => void
  talk: (text: string) => void
  /** `talk` goes to a terminal, where lines can be replaced. */
  live?: boolean
}

/** The same as a stream of bytes. */
export const writableOf = (data: Streams['data']): Writable =>
  new Writable({
    decodeStrings: false,
    write(text: string | Buffer, _encoding, done) {
      data(text.toString())
      done()
    },
  })

/** Whatever a command hands over, no control character of it but tabs and line ends reaches the terminal. */
export function createOutput({ data, talk, live = false }: Streams, asJson: boolean): Output {
  return {
    result: (value, forPeople) => data(`${asJson ? json(value, 2) : printable(forPeople())}\n`),
    event(value, forPeople) {
      const line = asJson ? json(value) : forPeople()
      if (line !== null) data(`${asJson ? line : printable(line)}\n`)
    },
    talk: (line) => talk(`${printable(line)}\n`),
    progress(line) {
      if (live) talk(`${clearLine}${line === null ? '' : printable(line)}`)
    },
    asJson,
  }
}

/** To the begin of the line, and everything after it gone. */
const clearLine = '\r\u001b[K'

/** Columns under their headings, as wide as their longest cell. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings.map((heading) => heading.toUpperCase()), ...rows.map((row) => row.map(printable))]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Names and values under each other. */
export function facts(pairs: readonly (readonly [name: string, value: string | null])[]): string {
  const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== null)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n')
}

/** For a telephone: a QR code in half blocks. */
export const qrCode = (text: string): string => renderUnicodeCompact(text, { border: 2 })

/** What others wrote, made safe for a terminal: escape sequences could move the cursor, set the title, or worse. */
export const printable = (text: string): string => printableText(text, '\ufffd')

/** JSON escapes the older control characters by itself; the newer ones and those that turn text around are escaped here. */
const json = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** `1.4 MiB` */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
