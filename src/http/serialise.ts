import type { FastifyReply } from 'fastify'
import { z } from 'zod'

/** Writes as JSON what the schema declares. */
export type Serialise = (value: unknown) => string

/**
 * Takes any reply of its route. Compiled for the first one: a process answers few of its operations, and to compile all of them
 * is half of what a panel’s start would cost.
 */
export function serialiser(schema: z.ZodType): (reply: FastifyReply) => Serialise {
  let compiled: Serialise | null = null
  return (reply) => {
    // What is written is told by the schema; the framework's type knows objects alone.
    compiled ??= reply.compileSerializationSchema(serialiserSchema(schema)) as Serialise
    return compiled
  }
}

/**
 * The JSON Schema from which the fast serialiser of replies is compiled. It keeps structure only: a serialiser neither checks
 * lengths nor refuses extra fields, it leaves them out. So a field that the declaration does not name never leaves the process.
 */
function serialiserSchema(schema: z.ZodType): Record<string, unknown> {
  // An empty registry hides the `id`s, which would turn into references to components that only the OpenAPI document has.
  return structure(
    z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any', metadata: z.registry() }),
  ) as Json
}

type Json = Record<string, unknown>

function structure(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  const schema = node as Json
  const options = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(options)) {
    const others = options.filter((option: Json) => option['type'] !== 'null')
    // `X | null` has a fast path of its own; as a union each value would be validated before it is written.
    if (others.length === 1 && others.length < options.length) return orNull(structure(others[0]) as Json)
  }
  return Object.fromEntries(Object.entries(schema).flatMap(([key, value]) => keep(key, value)))
}

/** Where it is part of a union, values are told by what they may be: a list of them must name null itself. */
function orNull({ const: only, enum: some = only === undefined ? undefined : [only], ...rest }: Json): Json {
  return { ...rest, ...(Array.isArray(some) && { enum: [...some, null] }), nullable: true }
}

function keep(key: string, value: unknown): [string, unknown][] {
  switch (key) {
    case 'type':
    case 'const':
    case 'enum':
    case 'required':
    case 'default':
    case '$ref':
      return [[key, value]]
    case 'properties':
    case 'definitions':
      return [[key, Object.fromEntries(Object.entries(value as Json).map(([name, inner]) => [name, structure(inner)]))]]
    case 'items':
      return [[key, Array.isArray(value) ? value.map(structure) : structure(value)]]
    case 'additionalItems':
      return [[key, structure(value)]]
    case 'anyOf':
    case 'oneOf':
    case 'allOf':
      // `anyOf` takes the first that fits; the discriminating constants make that one the right one.
      return [[key === 'oneOf' ? 'anyOf' : key, (value as unknown[]).map(structure)]]
    case 'additionalProperties':
      return value === false ? [] : [[key, structure(value)]]
    default:
      return []
  }
}
