import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import type { Reference, Schema } from './document.ts'
import { referenceText } from './text.ts'

/** Deeper than any reply of the API; a schema may contain itself. */
const depthMax = 6

/** What a value looks like: its fields with their types, rules and meaning, one below the other. */
export function SchemaView({
  schema,
  resolve,
  depth = 0,
}: {
  schema: Schema
  resolve: Reference['resolve']
  depth?: number
}) {
  const t = useText(referenceText)
  const real = resolve(schema)
  const inner = contentOf(real, resolve)
  if (depth > depthMax || !inner) return depth === 0 ? <Facts schema={real} resolve={resolve} /> : null
  if (inner.variants)
    return (
      <div className="grid gap-2">
        <p className="text-muted text-xs">{t.oneOf}</p>
        {inner.variants.map((variant, position) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they have no name, and keep their order
          <div key={position} className="rounded-lg border border-line px-3 py-2">
            <Facts schema={resolve(variant)} resolve={resolve} />
            <SchemaView schema={variant} resolve={resolve} depth={depth + 1} />
          </div>
        ))}
      </div>
    )
  return (
    <ul className="grid gap-2.5">
      {Object.entries(inner.fields).map(([name, field]) => (
        <li key={name} className="border-line border-l-2 pl-3">
          <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <code className="wrap-anywhere font-mono text-[13px]">{name}</code>
            {inner.required.includes(name) && <Badge>{t.required}</Badge>}
            <Facts schema={resolve(field)} resolve={resolve} />
          </div>
          <Nested schema={field} resolve={resolve} depth={depth} />
        </li>
      ))}
    </ul>
  )
}

function Nested({ schema, resolve, depth }: { schema: Schema; resolve: Reference['resolve']; depth: number }) {
  if (depth >= depthMax || !contentOf(resolve(schema), resolve)) return null
  return (
    <div className="mt-2">
      <SchemaView schema={schema} resolve={resolve} depth={depth + 1} />
    </div>
  )
}

/** Type, rules and meaning in a line. */
export function Facts({ schema, resolve }: { schema: Schema; resolve: Reference['resolve'] }) {
  const rules: ReactNode[] = []
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema
  if (schema.enum) rules.push(schema.enum.map((each) => JSON.stringify(each)).join(' | '))
  if (schema.const !== undefined) rules.push(JSON.stringify(schema.const))
  for (const [low, high] of [
    [minimum, usual(maximum)],
    [minLength, maxLength],
    [minItems, maxItems],
  ])
    if (low !== undefined || high !== undefined) rules.push(`${low ?? 0} – ${high ?? '∞'}`)
  if (pattern) rules.push(`/${pattern}/`)
  if (schema.default !== undefined) rules.push(`= ${JSON.stringify(schema.default)}`)
  return (
    <>
      <span className="text-muted text-xs">{typeOf(schema, resolve)}</span>
      {rules.length > 0 && <code className="wrap-anywhere font-mono text-muted text-xs">{rules.join('  ')}</code>}
      {schema.description && <span className="w-full text-muted">{schema.description}</span>}
    </>
  )
}

/** The bound that every integer has says nothing. */
const usual = (maximum: number | undefined): number | undefined =>
  maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum

/** What there is inside a value, looking through arrays; null for a plain one. */
function contentOf(
  schema: Schema,
  resolve: Reference['resolve'],
): { fields: Record<string, Schema>; required: string[]; variants?: Schema[] } | null {
  const variants = (schema.oneOf ?? schema.anyOf)?.filter((each) => resolve(each).type !== 'null')
  const [only] = variants ?? []
  if (variants && variants.length > 1)
    return variants.some((each) => contentOf(resolve(each), resolve)) ? { fields: {}, required: [], variants } : null
  if (only) return contentOf(resolve(only), resolve)
  if (schema.items) return contentOf(resolve(schema.items), resolve)
  if (schema.properties && Object.keys(schema.properties).length > 0)
    return { fields: schema.properties, required: schema.required ?? [] }
  const values = schema.additionalProperties
  return typeof values === 'object' && values.type !== undefined ? { fields: { '*': values }, required: [] } : null
}

function typeOf(schema: Schema, resolve: Reference['resolve']): string {
  if (schema.items) return `${typeOf(resolve(schema.items), resolve)}[]`
  const variants = schema.oneOf ?? schema.anyOf
  if (variants) return [...new Set(variants.map((each) => typeOf(resolve(each), resolve)))].join(' | ')
  if (schema.format) return schema.format
  if (schema.type) return [schema.type].flat().join(' | ')
  return schema.const === undefined && !schema.enum ? 'any' : ''
}
