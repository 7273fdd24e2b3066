import { z } from 'zod'

/**
 * The same schema, which leaves out what it does not know of objects instead of refusing it, at every depth. For what our own
 * processes tell each other: of two neighbouring versions the newer one says more.
 */
export function lenient<S extends z.core.$ZodType>(schema: S): S {
  const known = made.get(schema)
  // What was made of a schema parses the same values into the same type.
  if (known) return known as S
  const loose = loosen(schema)
  made.set(schema, loose)
  return loose as S
}

/** Schemas are made once and stay; so does what is made of them. */
const made = new WeakMap<z.core.$ZodType, z.core.$ZodType>()

function loosen(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = (schema as z.core.$ZodTypes)._zod
  const like = (change: object): z.core.$ZodType => z.core.clone(schema, { ...def, ...change })
  switch (def.type) {
    case 'object':
      return like({
        shape: Object.fromEntries(Object.entries(def.shape).map(([key, field]) => [key, lenient(field)])),
        catchall: undefined,
      })
    case 'array':
      return like({ element: lenient(def.element) })
    case 'record':
      return like({ valueType: lenient(def.valueType) })
    case 'tuple':
      return like({ items: def.items.map((item) => lenient(item)) })
    case 'union':
      return like({ options: def.options.map((option) => lenient(option)) })
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'nonoptional':
    case 'catch':
      return like({ innerType: lenient(def.innerType) })
    case 'pipe':
      return like({ in: lenient(def.in), out: lenient(def.out) })
    default:
      return schema
  }
}
