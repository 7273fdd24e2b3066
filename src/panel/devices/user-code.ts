import { randomInt } from 'node:crypto'
import { userCodeLength } from './limits.ts'

/** Consonants alone: no code is a word, none is mistaken for a digit (RFC 8628, 6.1). */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'

/** `BCDF-GHJK` */
export function newUserCode(): string {
  const code = Array.from({ length: userCodeLength }, () => letters[randomInt(letters.length)]).join('')
  return `${code.slice(0, userCodeLength / 2)}-${code.slice(userCodeLength / 2)}`
}

/** What was typed, as codes are compared: letters alone, in upper case. */
export const readUserCode = (typed: string): string => typed.toUpperCase().replace(/[^A-Z0-9]/g, '')
