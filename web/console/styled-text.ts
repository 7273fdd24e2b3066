import type { LineStyle } from '../../src/contract/console.ts'

/** The line for a terminal: its text with its colours, and plain again at its end. */
export function styledText(text: string, styles: readonly LineStyle[] | undefined): string {
  if (styles === undefined) return text
  let shown = ''
  let at = 0
  for (const { from, sgr } of styles) {
    shown += `${text.slice(at, from)}\u001b[${sgr}m`
    at = Math.max(at, from)
  }
  return `${shown}${text.slice(at)}\u001b[0m`
}
