import { depthMax, placesMax } from './limits.ts'
import { plain, type Setting } from './patch-value.ts'

/**
 * Sets the text of elements (`Settings.Port`, `*` is any name), or one attribute where the value reads `[name='value']`.
 * Everything else stays character for character: the text is never turned into a tree and back, and no entity is resolved. A
 * missing element is added to the deepest of its path that is there. Throws an `Error` for what is not well formed.
 */
export function patchXml(text: string, settings: readonly Setting[]): string {
  let now = text
  for (const setting of settings) now = patchOne(now, setting)
  return now
}

interface Element {
  name: string
  /** Where its start tag begins, and where that has ended. */
  start: number
  startEnd: number
  /** Where its end tag begins; for `<a/>` the same as `startEnd`. */
  end: number
  selfClosing: boolean
  hasElements: boolean
  path: string[]
}

function patchOne(text: string, { at, next }: Setting): string {
  const wanted = at.split('.')
  if (wanted.some((name) => name !== '*' && !/^[A-Za-z_][\w:-]*$/.test(name)))
    throw new Error(`${at} is no path of elements`)
  const elements = elementsOf(text)
  const root = elements[0]
  if (!root) {
    const value = next(undefined)
    return value === undefined
      ? text
      : `${text.trimEnd() === '' ? '' : `${text.trimEnd()}\n`}${nested(wanted, plain(value))}\n`
  }
  const mine = elements.filter(({ path }) => fits(path, wanted))
  if (mine.length > placesMax) throw new Error(`${at} leads to more than ${placesMax} places`)
  const edits: { from: number; to: number; text: string }[] = []
  for (const element of mine) {
    if (element.hasElements) continue
    const value = next(unescaped(text.slice(element.startEnd, element.end)))
    if (value !== undefined) edits.push(edit(text, element, plain(value)))
  }
  if (mine.length === 0 && !wanted.includes('*')) {
    const value = next(undefined)
    const parent = value === undefined ? null : deepest(elements, wanted)
    if (parent && value !== undefined) {
      const inner = nested(wanted.slice(parent.path.length), plain(value))
      edits.push(
        parent.selfClosing
          ? { from: parent.start, to: parent.startEnd, text: `${opened(text, parent)}${inner}</${parent.name}>` }
          : { from: parent.end, to: parent.end, text: inner },
      )
    }
  }
  let changed = text
  for (const { from, to, text: piece } of edits.sort((left, right) => right.from - left.from))
    changed = changed.slice(0, from) + piece + changed.slice(to)
  return changed
}

function edit(text: string, element: Element, value: string): { from: number; to: number; text: string } {
  const [, name, content] = /^\[([A-Za-z_][\w:-]*)='([^']*)'\]$/s.exec(value) ?? []
  if (name !== undefined && content !== undefined) {
    const tag = text.slice(element.start, element.startEnd)
    const without = tag.replace(new RegExp(`\\s${name}\\s*=\\s*(?:"[^"]*"|'[^']*')`), '')
    const attribute = ` ${name}="${escaped(content)}"`
    return {
      from: element.start,
      to: element.startEnd,
      text: without.replace(/\s*(\/?>)$/, (_, close: string) => attribute + close),
    }
  }
  if (!element.selfClosing) return { from: element.startEnd, to: element.end, text: escaped(value) }
  return {
    from: element.start,
    to: element.startEnd,
    text: `${opened(text, element)}${escaped(value)}</${element.name}>`,
  }
}

/** The start tag of `<a b="c"/>` as `<a b="c">`. */
const opened = (text: string, { start, startEnd }: Element): string =>
  text.slice(start, startEnd).replace(/\s*\/>$/, '>')

const nested = (names: readonly string[], value: string): string =>
  names.reduceRight((inner, name) => `<${name}>${inner}</${name}>`, escaped(value))

const fits = (path: readonly string[], wanted: readonly string[]): boolean =>
  path.length === wanted.length && wanted.every((name, index) => name === '*' || name === path[index])

function deepest(elements: readonly Element[], wanted: readonly string[]): Element | null {
  for (let length = wanted.length - 1; length > 0; length -= 1) {
    const found = elements.find(({ path }) => fits(path, wanted.slice(0, length)))
    if (found) return found
  }
  return null
}

/** Comments, CDATA and instructions are passed over; a document type may define entities, and is refused. */
function elementsOf(text: string): Element[] {
  const found: Element[] = []
  const open: Element[] = []
  const skip = (at: number, until: string): number => {
    const end = text.indexOf(until, at)
    if (end === -1) throw new Error('it ends in the middle')
    return end + until.length
  }
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    if (text.startsWith('<!--', at)) at = skip(at, '-->')
    else if (text.startsWith('<![CDATA[', at)) at = skip(at, ']]>')
    else if (text.startsWith('<?', at)) at = skip(at, '?>')
    else if (text.startsWith('<!', at)) throw new Error('it has a document type')
    else if (text.startsWith('</', at)) {
      const end = skip(at, '>')
      const element = open.pop()
      if (!element || text.slice(at + 2, end - 1).trim() !== element.name) throw new Error('its tags do not match')
      element.end = at
      at = end
    } else {
      const tag = tagAt(text, at)
      const parent = open.at(-1)
      if (parent) parent.hasElements = true
      else if (found.length > 0) throw new Error('it has more than one root')
      const element: Element = {
        ...tag,
        start: at,
        end: tag.startEnd,
        hasElements: false,
        path: [...(parent?.path ?? []), tag.name],
      }
      found.push(element)
      if (!tag.selfClosing) {
        open.push(element)
        if (open.length > depthMax) throw new Error('it is nested too deeply')
      }
      at = tag.startEnd
    }
  }
  if (open.length > 0) throw new Error('it ends in the middle')
  return found
}

function tagAt(text: string, at: number): { name: string; startEnd: number; selfClosing: boolean } {
  let end = at + 1
  for (let quote = ''; end < text.length; end += 1) {
    const char = text[end] as string
    if (quote !== '') quote = char === quote ? '' : quote
    else if (char === '"' || char === "'") quote = char
    else if (char === '>') break
  }
  if (end >= text.length) throw new Error('it ends in the middle')
  const name = /^[^\s/>]+/.exec(text.slice(at + 1, Math.min(end, at + 1 + 256)))?.[0]
  if (name === undefined) throw new Error('it has a tag without a name')
  return { name, startEnd: end + 1, selfClosing: text[end - 1] === '/' }
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot hold them
  text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replace(/[&<>"]/g, (char) => entities[char] as string)
const unescaped = (text: string): string =>
  text
    .replace(
      /&(amp|lt|gt|quot|apos);/g,
      (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" })[name] as string,
    )
    .trim()
