import type { z } from 'zod'
import { AppError, type FieldProblem } from '../contract/errors.ts'
import { problemsMax } from './limits.ts'

/**
 * What a schema found wrong with `value`, in words for the person who sent it. `root` is what the value is called: `body`,
 * `query`, `params`. Never repeats the value itself: it may be a secret.
 */
export function fieldProblems(root: string, error: z.ZodError, value: unknown): FieldProblem[] {
  return error.issues.slice(0, problemsMax).flatMap((issue) => problemsOf(root, issue, value))
}

/** The refusal of a request with these problems. Its message is one sentence that names the fields. */
export function invalidFields(problems: FieldProblem[]): AppError {
  const details = problems.slice(0, problemsMax)
  const named = details
    .slice(0, sentenceProblemsMax)
    .map(({ where, problem, expected }) => `${where} ${problem}${expected ? ` (expected ${expected})` : ''}`)
  const more = problems.length > named.length ? `; and ${problems.length - named.length} more` : ''
  return new AppError('invalid_request', `Invalid request: ${named.join('; ')}${more}`, { details })
}

/** Problems named in the sentence; `details` has the rest. */
const sentenceProblemsMax = 4

type Issue = z.core.$ZodIssue

function problemsOf(root: string, issue: Issue, value: unknown): FieldProblem[] {
  const where = [root, ...issue.path.map(String)].join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .slice(0, problemsMax)
        .map((key) => ({ where: `${where}.${shorten(key)}`, problem: 'is not a known field' }))
    case 'invalid_type': {
      const found = at(value, issue.path)
      const expected = typeNames[issue.expected] ?? issue.expected
      if (found === undefined) return [{ where, problem: 'is missing', expected }]
      return [worded(where, issue, wrongType(root, found), expected)]
    }
    case 'invalid_value': {
      const expected = issue.values.map((allowed) => JSON.stringify(allowed)).join(' or ')
      return [
        {
          where,
          problem: at(value, issue.path) === undefined ? 'is missing' : 'is not one of the allowed values',
          expected,
        },
      ]
    }
    case 'too_small':
      return [
        worded(
          where,
          issue,
          `is too ${measure(issue.origin)[0]}`,
          `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${measure(issue.origin)[2]}`,
        ),
      ]
    case 'too_big':
      return [
        worded(
          where,
          issue,
          `is too ${measure(issue.origin)[1]}`,
          `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${measure(issue.origin)[2]}`,
        ),
      ]
    case 'invalid_format':
      return [worded(where, issue, 'has the wrong form', formatNames[issue.format] ?? issue.format)]
    case 'invalid_union':
      return unionProblems(root, issue, value, where)
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return [{ where, problem: issue.message }]
  }
}

/** A message that the schema's author wrote says by itself what is expected. */
function worded(where: string, issue: Issue, problem: string, expected: string): FieldProblem {
  const own = customMessage(issue)
  return own === undefined ? { where, problem, expected } : { where, problem: own }
}

/** A union fails in as many ways as it has members: the nearest member tells most. */
function unionProblems(
  root: string,
  issue: Extract<Issue, { code: 'invalid_union' }>,
  value: unknown,
  where: string,
): FieldProblem[] {
  const nearest = issue.errors.toSorted((left, right) => left.length - right.length)[0]
  if (nearest)
    return nearest.flatMap((inner) => problemsOf(root, { ...inner, path: [...issue.path, ...inner.path] }, value))
  const missing = at(value, issue.path) === undefined
  return [{ where, problem: missing ? 'is missing' : 'is not one of the allowed values' }]
}

/** The message that the schema's author wrote, if any: zod's own begin with one of these words. */
function customMessage(issue: Issue): string | undefined {
  return /^(Invalid|Too small|Too big)\b/.test(issue.message) ? undefined : issue.message
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<PropertyKey, unknown>)[key]
  }
  return found
}

/** Everything in a URL is text, so there the sender gave no wrong type but a wrong text. */
function wrongType(root: string, found: unknown): string {
  if (root === 'body' || root === 'message') return `is ${kindOf(found)}`
  return Array.isArray(found) ? 'is given more than once' : 'has the wrong form'
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  return `a ${typeof value}`
}

/** Too little, too much, and the unit. */
function measure(origin: string): readonly [string, string, string] {
  if (origin === 'string') return ['short', 'long', ' characters']
  if (origin === 'array' || origin === 'set' || origin === 'map') return ['short', 'long', ' entries']
  return ['small', 'large', '']
}

const typeNames: Record<string, string> = { int: 'whole number', record: 'object' }

const formatNames: Record<string, string> = {
  email: 'an e-mail address',
  datetime: 'an ISO 8601 time in UTC',
  uuid: 'a UUID',
  url: 'a URL',
  regex: 'the documented form',
}

/** Longest part of a name from outside that is repeated in a message, in characters. */
const nameLengthMax = 80

const shorten = (name: string): string => (name.length > nameLengthMax ? `${name.slice(0, nameLengthMax)}…` : name)
