import { shortenedLists, shortenedTexts } from './limits.ts'

/**
 * `value`, cut to at most `charsMax` characters of JSON: first long texts, then long lists, as little as will do. `shortened` says in a
 * sentence what is missing; null where nothing is.
 */
export function shorten<V extends Record<string, unknown>>(
  value: V,
  charsMax: number,
  newestLast: boolean,
): { value: V; shortened: string | null } {
  if (sizeOf(value) <= charsMax) return { value, shortened: null }
  let last: { value: V; cuts: string[] } = { value, cuts: [] }
  for (const [textsMax, listsMax] of [
    ...shortenedTexts.map((texts) => [texts, Number.POSITIVE_INFINITY] as const),
    ...shortenedLists.map((lists) => [shortenedTexts.at(-1) ?? 0, lists] as const),
  ]) {
    const cuts: string[] = []
    // What is cut has the same shape: shorter texts, shorter lists.
    const cut = cutDown(value, '', { textsMax, listsMax, newestLast, cuts }) as V
    last = { value: cut, cuts }
    if (sizeOf(cut) <= charsMax) break
  }
  return { value: last.value, shortened: `Too long to be told whole: ${tellCuts(last.cuts)}.` }
}

const sizeOf = (value: unknown): number => JSON.stringify(value).length

interface Cutting {
  textsMax: number
  listsMax: number
  newestLast: boolean
  cuts: string[]
}

function cutDown(value: unknown, path: string, cutting: Cutting): unknown {
  if (typeof value === 'string') {
    if (value.length <= cutting.textsMax) return value
    cutting.cuts.push(`of ${path} the first ${cutting.textsMax} of ${value.length} characters are here`)
    return value.slice(0, cutting.textsMax)
  }
  if (Array.isArray(value)) {
    const { listsMax, newestLast } = cutting
    const kept = value.length <= listsMax ? value : newestLast ? value.slice(-listsMax) : value.slice(0, listsMax)
    if (kept !== value)
      cutting.cuts.push(
        `of ${path} the ${newestLast ? 'last' : 'first'} ${listsMax} of ${value.length} entries are here`,
      )
    return kept.map((entry) => cutDown(entry, `${path}[]`, cutting))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, cutDown(inner, path ? `${path}.${key}` : key, cutting)]),
  )
}

/** Cuts named in the answer: the places of a hundred equal ones are one place. */
const namedCutsMax = 5

function tellCuts(cuts: readonly string[]): string {
  const places = [...new Map(cuts.map((cut) => [cut.split(' ', 2)[1], cut])).values()]
  const named = places.slice(0, namedCutsMax).join('; ')
  return places.length > namedCutsMax ? `${named}; and more` : named
}
