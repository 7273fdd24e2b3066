import { RE2JS } from 're2js'

/**
 * Regular expressions that others wrote, run on texts that others wrote. RE2's syntax and promise: time grows with the length of
 * the text alone, since there is no backtracking; look-around and back-references do not exist in it.
 */
export interface Pattern {
  /** Whether it matches anywhere in the text. */
  find(text: string): boolean
  /** Whether it matches the whole text. */
  matches(text: string): boolean
  /** Replaces every match; `$1` is what the first group matched. Throws where the replacement names a group that is not there. */
  replace(text: string, replacement: string): string
}

/** What a pattern may cost for each character of a text, in instructions of its program: hundreds of times what eggs need. */
const programSizeMax = 1_500

/** A longer one takes long to compile, in characters. */
const patternCharsMax = 500

/** Throws an `Error` whose message says what is wrong with the source. */
export function compilePattern(source: string): Pattern {
  if (source.length > patternCharsMax) throw new Error(`it is longer than ${patternCharsMax} characters`)
  let compiled: ReturnType<typeof RE2JS.compile>
  try {
    compiled = RE2JS.compile(source)
  } catch (error) {
    throw new Error((error as Error).message.replace(/^error parsing regexp: /, ''), { cause: error })
  }
  if (compiled.programSize() > programSizeMax) throw new Error('it repeats too much')
  return {
    find: (text) => compiled.matcher(text).find(),
    matches: (text) => compiled.matches(text),
    replace: (text, replacement) => compiled.matcher(text).replaceAll(replacement),
  }
}
