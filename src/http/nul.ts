import type { FieldProblem } from '../contract/errors.ts'
import { problemsMax } from './limits.ts'

/**
 * The fields of `value` whose text or name holds a NUL, but for `rawText`. No name, note or command of anybody needs one, and
 * PostgreSQL fails at a text that does: that would look like a fault of ours. Looked for in what was sent, before any schema,
 * so no field can be forgotten.
 */
export function nulProblems(root: string, value: unknown, rawText: readonly string[] = []): FieldProblem[] {
  const problems: FieldProblem[] = []
  const raw = new Set(rawText.map((path) => `${root}.${path}`))
  // A list of what is still to be looked at: a body nested very deep must not use up the stack.
  const open: [where: string, value: unknown][] = [[root, value]]
  for (let next = open.pop(); next && problems.length < problemsMax; next = open.pop()) {
    const [where, found] = next
    if (typeof found === 'string') {
      if (found.includes('\u0000') && !raw.has(where)) problems.push({ where, problem: 'contains a NUL character' })
    } else if (typeof found === 'object' && found !== null)
      for (const [name, inner] of Object.entries(found))
        if (name.includes('\u0000')) problems.push({ where, problem: 'has a name that contains a NUL character' })
        else open.push([`${where}.${name}`, inner])
  }
  return problems
}
