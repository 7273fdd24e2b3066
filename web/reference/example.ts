import type { Reference, Schema } from './document.ts'

/** Deeper than any body of the API; a schema may contain itself. */
const depthMax = 8

/** A value that fits the schema well enough to begin with. Of what may be left out, nothing: whoever sends it adds what they mean. */
export function exampleOf(schema: Schema, resolve: Reference['resolve'], depth = 0): unknown {
  const { type, properties, required = [], items, anyOf, oneOf, allOf, ...rest } = resolve(schema)
  if (rest.example !== undefined) return rest.example
  if (rest.examples?.[0] !== undefined) return rest.examples[0]
  if (rest.default !== undefined) return rest.default
  if (rest.const !== undefined) return rest.const
  if (rest.enum) return rest.enum[0]
  const first = (anyOf ?? oneOf ?? allOf)?.[0]
  if (depth > depthMax) return null
  if (first) return exampleOf(first, resolve, depth + 1)
  const kind = Array.isArray(type) ? type[0] : type
  if (properties || kind === 'object')
    return Object.fromEntries(
      Object.entries(properties ?? {})
        .filter(([name]) => required.includes(name))
        .map(([name, each]) => [name, exampleOf(each, resolve, depth + 1)]),
    )
  if (kind === 'array') return items && (rest.minItems ?? 0) > 0 ? [exampleOf(items, resolve, depth + 1)] : []
  if (kind === 'integer' || kind === 'number') return rest.minimum ?? 0
  if (kind === 'boolean') return false
  return kind === 'null' ? null : ''
}
