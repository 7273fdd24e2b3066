import type { FieldChanges } from '../../contract/access-rules.ts'

/** The header fields of a head as the edge carries them: lines in latin1, each with its line end. */

/** Every value of a field, in the order in which they came. @param name in lower case. */
export function valuesOf(fields: string, name: string): string[] {
  return linesOf(fields).flatMap((line) => (nameOf(line) === name ? [line.slice(line.indexOf(':') + 1).trim()] : []))
}

/** The value of a field; undefined where there is none, and where there is more than one: two readers could choose differently. */
export function soleValueOf(fields: string, name: string): string | undefined {
  const values = valuesOf(fields, name)
  return values.length === 1 ? values[0] : undefined
}

/** First what is removed, then what is set, then what is added. */
export function changeFields(fields: string, { remove, set, add }: FieldChanges): string {
  const gone = new Set([...remove, ...Object.keys(set)].map(plainName))
  const kept = gone.size === 0 ? fields : withoutFields(fields, (name) => gone.has(plainName(name)))
  return [...Object.entries(set), ...Object.entries(add)].reduce(
    (text, [name, value]) => `${text}${name}: ${value}\r\n`,
    kept,
  )
}

export function withoutFields(fields: string, unwanted: (name: string, line: string) => boolean): string {
  return linesOf(fields)
    .filter((line) => !unwanted(nameOf(line), line))
    .map((line) => `${line}\r\n`)
    .join('')
}

/** The value of a cookie; undefined where it is missing or comes twice. */
export function cookieOf(fields: string, name: string): string | undefined {
  const found = valuesOf(fields, 'cookie')
    .flatMap((value) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined
}

/** What the service gets: its visitor's cookies without those that are the edge's. */
export function withoutCookies(fields: string, own: (name: string) => boolean): string {
  if (!/^cookie:/im.test(fields)) return fields
  let text = ''
  for (const line of linesOf(fields)) {
    if (nameOf(line) !== 'cookie') {
      text += `${line}\r\n`
      continue
    }
    const pairs = line.slice(line.indexOf(':') + 1).split(';')
    const kept = pairs.map((pair) => pair.trim()).filter((pair) => !own(pair.split('=', 1)[0]?.trim() ?? ''))
    if (kept.length > 0) text += `${line.slice(0, line.indexOf(':'))}: ${kept.join('; ')}\r\n`
  }
  return text
}

const linesOf = (fields: string): string[] => fields.split('\r\n').filter((line) => line !== '')

const nameOf = (line: string): string => line.slice(0, line.indexOf(':')).toLowerCase()

/** CGI and WSGI programs cannot tell an underscore from a hyphen, and so neither may a rule. */
const plainName = (name: string): string => name.toLowerCase().replaceAll('_', '-')
