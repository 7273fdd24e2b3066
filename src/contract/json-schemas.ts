import { z } from 'zod'

export type Json = Record<string, unknown>

/** The name under which the converter files what several schemas share. */
const shared = '__shared'
const sharedRef = `${shared}#/$defs/`
const componentRef = '#/components/schemas/'

type Direction = 'input' | 'output'

/**
 * Turns schemas into those of an OpenAPI 3.1 document. A schema with an `id` becomes a component, once; where the form that
 * is taken differs from the form that is given (defaults, strictness), the taken one is called `…Input`. Collect everything
 * first, then ask: names are settled by the whole.
 */
export class JsonSchemas {
  readonly #asked = { input: new Map<string, z.ZodType>(), output: new Map<string, z.ZodType>() }
  #made: { of: Map<string, Json>; components: Json } | undefined

  /** Collects a schema that callers send. The key is its name for `of`; the same key means the same schema. */
  input(key: string, schema: z.ZodType): string {
    return this.#ask('input', key, schema)
  }

  /** Collects a schema that the server sends. */
  output(key: string, schema: z.ZodType): string {
    return this.#ask('output', key, schema)
  }

  /** The schema itself, with references to components. */
  of(key: string): Json {
    const made = this.#make().of.get(key)
    if (!made) throw new Error(`${key} was not collected`)
    return made
  }

  components(): Json {
    return this.#make().components
  }

  #ask(direction: Direction, key: string, schema: z.ZodType): string {
    if (!this.#asked[direction].has(key)) {
      this.#asked[direction].set(key, schema)
      this.#made = undefined
    }
    return key
  }

  #make(): { of: Map<string, Json>; components: Json } {
    this.#made ??= combine(convert('input', this.#asked.input), convert('output', this.#asked.output))
    return this.#made
  }
}

/** A schema that callers send, or one that they get, whole in one place: for where its readers do not follow references. */
export function inlineSchema(schema: z.ZodType, direction: Direction = 'input'): Json {
  const plain = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: direction,
    unrepresentable: 'any',
    // Without their ids schemas stay where they are; their descriptions are brought back one by one.
    metadata: z.registry(),
    override: ({ zodSchema, jsonSchema }) => {
      const description = z.globalRegistry.get(zodSchema)?.description
      if (description) jsonSchema.description = description
    },
  })
  return tidy(plain, direction) as Json
}

interface Converted {
  /** What was asked for, by key. */
  asked: Map<string, Json>
  /** The named schemas in it, by id. */
  named: Map<string, Json>
}

function convert(direction: Direction, asked: Map<string, z.ZodType>): Converted {
  const registry = z.registry<{ id: string }>()
  // Each gets an object of its own: a schema may be asked for under two keys, and one with an id must become a reference.
  const wrapped = [...asked].map(([key, schema]) => [key, z.object({ it: schema })] as const)
  for (const [key, wrapper] of wrapped) registry.add(wrapper, { id: key })
  const { schemas } = z.toJSONSchema(registry, {
    target: 'draft-2020-12',
    io: direction,
    unrepresentable: 'any',
    uri: (id) => id,
  })
  const tidied = (schema: unknown): Json => tidy(schema, direction) as Json
  const { $defs } = (schemas[shared] ?? {}) as { $defs?: Record<string, Json> }
  return {
    asked: new Map(
      wrapped.map(([key]) => [
        key,
        tidied((schemas[key] as { properties?: { it?: Json } } | undefined)?.properties?.it ?? {}),
      ]),
    ),
    named: new Map(Object.entries($defs ?? {}).map(([id, schema]) => [id, tidied(schema)])),
  }
}

function combine(input: Converted, output: Converted): { of: Map<string, Json>; components: Json } {
  const differing = new Set(
    [...input.named].flatMap(([id, schema]) =>
      output.named.has(id) && JSON.stringify(output.named.get(id)) !== JSON.stringify(schema) ? [id] : [],
    ),
  )
  // A schema that refers to one that differs is another schema too, although it reads the same.
  for (let size = -1; size !== differing.size; ) {
    size = differing.size
    for (const [id, schema] of input.named)
      if (output.named.has(id) && references(schema).some((to) => differing.has(to))) differing.add(id)
  }
  const nameOf = (id: string): string => (differing.has(id) ? `${id}Input` : id)
  const components = new Map<string, Json>(output.named)
  for (const [id, schema] of input.named) components.set(nameOf(id), renamed(schema, nameOf) as Json)
  const of = new Map(output.asked)
  for (const [key, schema] of input.asked) of.set(key, renamed(schema, nameOf) as Json)
  return { of, components: Object.fromEntries([...components].sort(([left], [right]) => (left < right ? -1 : 1))) }
}

/** Points references at the components and leaves out what only the converter needs. */
function tidy(node: unknown, direction: Direction): unknown {
  if (Array.isArray(node)) return node.map((inner) => tidy(inner, direction))
  if (typeof node !== 'object' || node === null) return node
  const { oneOf, ...others } = node as { oneOf?: unknown }
  // A union of one, written so that it can grow.
  if (Array.isArray(oneOf) && oneOf.length === 1) return tidy({ ...oneOf[0], ...others }, direction)
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
      if (key === '$ref' && typeof value === 'string')
        return [[key, value.replace(sharedRef, componentRef).replace(/^#\/\$defs\//, componentRef)]]
      // The fields' names are not keywords, whatever they are called.
      if (key === 'properties')
        return [
          [
            key,
            Object.fromEntries(Object.entries(value as Json).map(([name, inner]) => [name, tidy(inner, direction)])),
          ],
        ]
      // A named format says it all; the pattern behind it is the library's affair.
      if (key === 'pattern' && 'format' in node) return []
      if (key === '$id' || key === '$schema' || key === 'id')
        return typeof value === 'string' ? [] : [[key, tidy(value, direction)]]
      if (key === 'example') return [['examples', [value]]]
      if (key === 'examples' || key === 'enum' || key === 'const' || key === 'default') return [[key, value]]
      // A newer server may send more than this document says.
      if (key === 'additionalProperties' && value === false && direction === 'output') return []
      // The bounds of exact numbers, which every whole number in JSON has.
      if (
        (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) ||
        (key === 'maximum' && value === Number.MAX_SAFE_INTEGER)
      )
        return []
      return [[key, tidy(value, direction)]]
    }),
  )
}

function references(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' ? [value.slice(componentRef.length)] : references(value),
  )
}

function renamed(node: unknown, nameOf: (id: string) => string): unknown {
  if (Array.isArray(node)) return node.map((inner) => renamed(inner, nameOf))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? componentRef + nameOf(value.slice(componentRef.length))
        : renamed(value, nameOf),
    ]),
  )
}
