import type { ConfigPatch } from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'
import { fillIn } from '../supervisor/variables.ts'

/** One thing to set, with variables filled in. */
export interface Setting {
  at: string
  /** What it becomes where `now` is there; undefined: it stays. Null and undefined of `now` mean that nothing is there. */
  next(now: string | number | boolean | null | undefined): string | number | boolean | null | undefined
}

type Entry = ConfigPatch['set'][number]

/** Throws an `Error` where a pattern is none. */
export function settingOf(entry: Entry, values: Readonly<Record<string, string>>): Setting {
  const { at } = entry
  if ('to' in entry) {
    const to = typeof entry.to === 'string' ? fillIn(entry.to, values) : entry.to
    return { at, next: () => to }
  }
  const swaps = entry.swap.map((swap) => {
    const to = fillIn(swap.to, values)
    if ('from' in swap) return (text: string) => (text === swap.from ? to : undefined)
    const pattern = compilePattern(swap.pattern)
    return (text: string) => (pattern.find(text) ? pattern.replace(text, to) : undefined)
  })
  return {
    at,
    next(now) {
      if (now === undefined || now === null) return undefined
      for (const swap of swaps) {
        const swapped = swap(String(now).slice(0, swappedCharsMax))
        if (swapped !== undefined) return swapped
      }
      return undefined
    },
  }
}

/** The value that a pattern is tried on is cut here, in characters: addresses and names are shorter. */
const swappedCharsMax = 4_096

/**
 * The value as a document with types holds it. What is there keeps its type; else a whole number is written as one, since
 * variables are texts and most games want numbers there. Digits with a leading zero stay text.
 */
export function typed(next: string | number | boolean | null, now: unknown): string | number | boolean | null {
  if (typeof next !== 'string' || typeof now === 'string') return next
  if (typeof now === 'boolean' && (next === 'true' || next === 'false')) return next === 'true'
  if (typeof now === 'number' && /^-?\d{1,15}(\.\d{1,15})?$/.test(next)) return Number(next)
  return /^-?(?:0|[1-9]\d{0,14})$/.test(next) ? Number(next) : next
}

/** As a format without types writes it. */
export const plain = (value: string | number | boolean | null): string => (value === null ? '' : String(value))
