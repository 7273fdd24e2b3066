import { createHash } from 'node:crypto'

/** A DNS label holds no more characters. */
const labelCharactersMax = 63

/** Of a hash, in hex: two names that people choose meet by chance once in 16 million. */
const markCharacters = 6

/**
 * A tunnel's name made of these parts, of which at least one has a letter or a digit in it: `shop`, `shop--fix-login`. Whatever differs
 * gets different names: a text that had to be changed carries a mark made of what it was, and so does what is too long.
 * Null where nothing is left to make a name of.
 */
export function labelOf(...parts: readonly string[]): string | null {
  const plain = parts.join(joint)
  if (parts.every(isPlain) && isUsable(plain)) return plain
  const mark = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, markCharacters)
  const simplified = parts.map(simplify).filter((part) => part !== '')
  if (simplified.length === 0) return null
  const stem = simplified.join('-').slice(0, labelCharactersMax - markCharacters - 1)
  return `${trim(stem)}-${mark}`
}

/** Between parts, neither of which has it inside: so the parts can be told from the whole. */
const joint = '--'

const isPlain = (text: string): boolean => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text)

/** Two hyphens in the third place are kept for encoded international names (`xn--…`). */
const isUsable = (label: string): boolean => label.length <= labelCharactersMax && label.slice(2, 4) !== joint

/** `Crème brûlée` becomes `creme-brulee`. */
const simplify = (text: string): string =>
  trim(
    text
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-'),
  )

const trim = (text: string): string => text.replace(/^-+|-+$/g, '')
