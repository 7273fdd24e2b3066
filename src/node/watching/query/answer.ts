import { type Players, playerNamesMax, playersMax } from '../../../contract/node-watching.ts'
import { printableLine } from '../../../lib/printable.ts'

/** What a game says of itself, before anybody has looked at it. */
export interface Answer {
  online: number | null
  max: number | null
  names: readonly string[]
  description: string | null
  version: string | null
}

/** A game that answers in a way that its protocol does not know. */
export class BadAnswer extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'BadAnswer'
  }
}

/** An answer within bounds: whoever wrote a name or a greeting, it is one harmless line of it. */
export function harmless(answer: Answer): Omit<Players, 'latencyMs' | 'at'> {
  const names = answer.names.map((name) => line(name, nameCharsMax)).filter((name) => name !== '')
  return {
    online: count(answer.online),
    max: count(answer.max),
    names: names.slice(0, playerNamesMax),
    description: textOrNull(answer.description, descriptionCharsMax),
    version: textOrNull(answer.version, versionCharsMax),
  }
}

/** Names are shorter in every game: what is longer is no name. */
const nameCharsMax = 64
const descriptionCharsMax = 300
const versionCharsMax = 100

const count = (value: number | null): number | null =>
  value === null || !Number.isInteger(value) || value < 0 ? null : Math.min(value, playersMax)

const textOrNull = (text: string | null, most: number): string | null =>
  text === null ? null : line(text, most) || null

/** Cut before it is looked through: a game may send a quarter of a megabyte as one name. */
function line(text: string, most: number): string {
  const plain = printableLine(text.slice(0, most * 4).replace(/[\r\n\t]+/g, ' ')).trim()
  // Never half a character.
  return plain.slice(0, most).replace(/[\ud800-\udbff]$/, '')
}
