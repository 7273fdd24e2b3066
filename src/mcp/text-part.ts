import { textPartCharsMax } from './limits.ts'
import type { ToolAnswer } from './tool.ts'

/** The answer with a piece of its long text `field`, from character `from` on, and a word on where the rest is. */
export function partOfText(data: Record<string, unknown>, field: string, from: number): ToolAnswer {
  const text = data[field]
  if (typeof text !== 'string') return { data }
  const part = text.slice(from, from + textPartCharsMax)
  const end = from + part.length
  if (from === 0 && end === text.length) return { data }
  const rest = end < text.length ? ` Call it again with from: ${end} for what follows.` : ''
  return {
    data: { ...data, [field]: part },
    note: `${field} is here from character ${from} to ${end} of ${text.length}.${rest} Writing this part alone would lose the others.`,
  }
}
