import type { Template } from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'

/** Tells whether a line of output says that the server is up; null where the template names none. */
export function readinessOf({ ready }: Template['start']): ((line: string) => boolean) | null {
  if (ready === undefined) return null
  const marks = (typeof ready === 'string' ? [ready] : ready).map((mark) => {
    if (typeof mark === 'string') return (line: string) => line.includes(mark)
    const pattern = compilePattern(mark.pattern)
    return (line: string) => pattern.find(line.slice(0, matchedCharsMax))
  })
  return (line) => marks.some((fits) => fits(line))
}

/** Of each line this much is held against a pattern, in characters: the game chooses how many lines there are. */
const matchedCharsMax = 1_024
