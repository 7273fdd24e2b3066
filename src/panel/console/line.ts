import type { ConsoleLine } from '../../contract/node.ts'
import { printableLine } from '../../lib/printable.ts'
import { lineCharsMax } from './limits.ts'

/** A line as people get it. A node makes its lines short and harmless; one that is not ours, or not any more, may not. */
export const shownLine = (line: ConsoleLine): ConsoleLine => ({
  ...line,
  text: printableLine(line.text.slice(0, lineCharsMax)),
})
