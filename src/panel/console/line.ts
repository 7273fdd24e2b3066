import type { ConsoleLine } from '../../contract/node.ts'
import { printableLine } from '../../lib/printable.ts'
import { lineCharsMax } from './limits.ts'

/** What a line costs while it is kept, in characters. */
export const charsOf = ({ text, styles }: Pick<ConsoleLine, 'text' | 'styles'>): number =>
  text.length + (styles?.length ?? 0) * styleChars

/** `{"from":12,"sgr":"38;5;208"}` and a comma. */
const styleChars = 32

/** A line as people get it. A node makes its lines short and harmless; one that is not ours, or not any more, may not. */
export const shownLine = (line: ConsoleLine): ConsoleLine => ({
  ...line,
  text: printableLine(line.text.slice(0, lineCharsMax)),
})
