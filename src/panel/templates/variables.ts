import type { FieldProblem } from '../../contract/errors.ts'
import { builtinVariables, type Template, type TemplateVariable } from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'

export interface CheckedVariables {
  /** Every variable that is the server's own, with the value it gets: those that are hidden have the template's everywhere. */
  values: Record<string, string>
  /** One for each name or value that cannot be taken. */
  problems: FieldProblem[]
}

/** What the server has already, and whether who gives values administers the installation. */
export interface CheckOptions {
  current?: Readonly<Record<string, string>>
  isAdmin?: boolean
}

/** Holds what was given against the template's rules; what was not given stays as it is, or gets the template's default. */
export function checkVariables(
  template: Template,
  given: Readonly<Record<string, string>>,
  { current = {}, isAdmin = false }: CheckOptions = {},
): CheckedVariables {
  const problems: FieldProblem[] = []
  const own = template.variables.filter(({ access }) => access !== 'hidden')
  const known = new Set(own.map(({ name }) => name))
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue
    problems.push({
      where: `body.variables.${name}`,
      problem: builtin.has(name)
        ? 'is set by the node and cannot be given'
        : `is not a variable of template ${template.id}`,
      expected: known.size > 0 ? `one of ${[...known].join(', ')}` : 'no variables',
    })
  }
  const values: Record<string, string> = {}
  for (const variable of own) {
    const { name } = variable
    const before = ownText(current, name) ?? variable.default
    const value = ownText(given, name) ?? before
    values[name] = value
    const where = `body.variables.${name}`
    if (variable.access === 'view' && !isAdmin) {
      if (value !== before)
        problems.push({ where, problem: 'is for administrators of the installation to change', expected: before })
      continue
    }
    const expected = expectationMissed(variable, value)
    if (expected) problems.push({ where, problem: `must be ${expected}`, expected })
  }
  return { values, problems }
}

/** The values of hidden variables, which every server of the template has. */
export function hiddenValues({ variables }: Template): Record<string, string> {
  const hidden = variables.filter(({ access }) => access === 'hidden')
  return Object.fromEntries(hidden.map((variable) => [variable.name, variable.default]))
}

const builtin: ReadonlySet<string> = new Set(builtinVariables)

const ownText = (texts: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(texts, name) ? texts[name] : undefined

// Values go into the lines of configuration files: a line break would let one value write another setting.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controlCharacter = /[\u0000-\u001f\u007f]/

/** What the value should have been, or null where it is right. */
export function expectationMissed({ rule }: Pick<TemplateVariable, 'rule'>, value: string): string | null {
  if (controlCharacter.test(value)) return 'text without line breaks or other control characters'
  if (value === '' && rule.optional) return null
  switch (rule.type) {
    case 'text': {
      if (value.length < rule.min || value.length > rule.max) return `text of ${rule.min} to ${rule.max} characters`
      const patterns = [...(rule.pattern === undefined ? [] : [rule.pattern]), ...(rule.patterns ?? [])]
      const missed = patterns.find((pattern) => !compilePattern(pattern).matches(value))
      return missed === undefined ? null : `text that matches ${missed}`
    }
    case 'integer': {
      const right = /^-?[0-9]{1,15}$/.test(value) && Number(value) >= rule.min && Number(value) <= rule.max
      return right ? null : `a whole number from ${rule.min} to ${rule.max}`
    }
    case 'number': {
      const right =
        /^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$/.test(value) && Number(value) >= rule.min && Number(value) <= rule.max
      return right ? null : `a number from ${rule.min} to ${rule.max}`
    }
    case 'boolean':
      return value === 'true' || value === 'false' ? null : 'true or false'
    case 'choice':
      return rule.of.includes(value) ? null : `one of ${rule.of.join(', ')}`
  }
}
