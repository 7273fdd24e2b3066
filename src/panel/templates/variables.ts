import type { FieldProblem } from '../../contract/errors.ts'
import { builtinVariables, type Template, type TemplateVariable } from '../../contract/template.ts'

export interface CheckedVariables {
  /** Every variable of the template with the value it gets. */
  values: Record<string, string>
  /** One for each name or value that cannot be taken. */
  problems: FieldProblem[]
}

/** Holds what was given against the template's rules; what was not given gets the template's default. */
export function checkVariables(template: Template, given: Readonly<Record<string, string>>): CheckedVariables {
  const problems: FieldProblem[] = []
  const known = new Map(template.variables.map((variable) => [variable.name, variable]))
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue
    problems.push({
      where: `body.variables.${name}`,
      problem: builtin.has(name)
        ? 'is set by the node and cannot be given'
        : `is not a variable of template ${template.id}`,
      expected: known.size > 0 ? `one of ${[...known.keys()].join(', ')}` : 'no variables',
    })
  }
  const values: Record<string, string> = {}
  for (const variable of template.variables) {
    const own = Object.hasOwn(given, variable.name) ? given[variable.name] : undefined
    const value = own ?? variable.default
    const expected = own === undefined ? null : expectationMissed(variable, own)
    if (expected) problems.push({ where: `body.variables.${variable.name}`, problem: `must be ${expected}`, expected })
    values[variable.name] = value
  }
  return { values, problems }
}

const builtin: ReadonlySet<string> = new Set(builtinVariables)

// Values go into the lines of configuration files: a line break would let one value write another setting.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controlCharacter = /[\u0000-\u001f\u007f]/

/** What the value should have been, or null where it is right. */
function expectationMissed(variable: TemplateVariable, value: string): string | null {
  if (controlCharacter.test(value)) return 'text without line breaks or other control characters'
  const { rule } = variable
  switch (rule.type) {
    case 'text': {
      if (value.length < rule.min || value.length > rule.max) return `text of ${rule.min} to ${rule.max} characters`
      if (rule.pattern !== undefined && !new RegExp(`^(?:${rule.pattern})$`, 'u').test(value))
        return `text that matches ${rule.pattern}`
      return null
    }
    case 'integer': {
      const right = /^-?[0-9]{1,15}$/.test(value) && Number(value) >= rule.min && Number(value) <= rule.max
      return right ? null : `a whole number from ${rule.min} to ${rule.max}`
    }
    case 'boolean':
      return value === 'true' || value === 'false' ? null : 'true or false'
    case 'choice':
      return rule.of.includes(value) ? null : `one of ${rule.of.join(', ')}`
  }
}
