import { parse } from 'yaml'
import { z } from 'zod'
import { AppError, invalidRequest } from '../../contract/errors.ts'

/**
 * An egg as Pterodactyl (`PTDL_v1`, `PTDL_v2`) and Pelican (`PLCN_v1` to `PLCN_v3`) export it, read generously: what is not known
 * is passed over here and named in the report, since every panel adds keys of its own.
 */

const Text = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const MaybeText = Text.nullish().transform((text) => text ?? null)
const Texts = z
  .union([z.array(z.unknown()), z.record(z.string(), z.unknown()), z.string()])
  .nullish()
  .transform((value) =>
    Object.values(typeof value === 'string' ? [value] : (value ?? {})).filter(
      (each): each is string => typeof each === 'string' && each !== '',
    ),
  )

/** A value that older formats write as JSON inside a string. */
const Embedded = z.unknown().transform((value, context): unknown => {
  if (typeof value !== 'string') return value ?? {}
  if (value.trim() === '') return {}
  try {
    return JSON.parse(value) as unknown
  } catch {
    context.addIssue({ code: 'custom', message: 'holds a text that is not JSON' })
    return z.NEVER
  }
})

/** PHP writes an empty map as an empty list. */
const asMap = (value: unknown): unknown => (Array.isArray(value) && value.length === 0 ? {} : value)
const EmbeddedMap = Embedded.transform(asMap).pipe(z.record(z.string(), z.unknown()))
const TextMap = z.preprocess(asMap, z.record(z.string(), Text))
/** Names and images, or a bare list of images. */
const Images = z.union([
  z
    .array(Text)
    .min(1)
    .transform((images) => Object.fromEntries(images.map((image) => [image, image]))),
  TextMap,
])

const EggVariable = z.looseObject({
  name: Text,
  description: MaybeText,
  env_variable: Text,
  default_value: MaybeText,
  user_viewable: z.union([z.boolean(), z.number(), z.string()]).default(true).transform(truth),
  user_editable: z.union([z.boolean(), z.number(), z.string()]).default(true).transform(truth),
  rules: z
    .union([z.string(), z.array(z.unknown())])
    .nullish()
    .transform((rules) =>
      typeof rules === 'string' ? splitRules(rules) : (rules ?? []).filter((rule) => typeof rule === 'string'),
    ),
})
export type EggVariable = z.output<typeof EggVariable>

const ConfigFile = z.looseObject({
  parser: Text,
  find: z.preprocess(asMap, z.record(z.string(), z.unknown())).default({}),
})
export type ConfigFile = z.output<typeof ConfigFile>

export const formats = ['PTDL_v1', 'PTDL_v2', 'PLCN_v1', 'PLCN_v2', 'PLCN_v3'] as const

const Egg = z.looseObject({
  meta: z.looseObject({ version: z.enum(formats), update_url: MaybeText }),
  exported_at: MaybeText,
  name: Text,
  author: MaybeText,
  uuid: MaybeText,
  description: MaybeText,
  features: Texts,
  tags: Texts,
  file_denylist: Texts,
  /** PTDL_v1; later ones have `docker_images`. */
  images: Texts,
  image: MaybeText,
  docker_images: Images.nullish(),
  startup: MaybeText,
  startup_commands: TextMap.nullish(),
  config: z.looseObject({
    files: EmbeddedMap.pipe(z.record(z.string(), ConfigFile)).default({}),
    startup: EmbeddedMap.default({}),
    logs: Embedded.default({}),
    stop: MaybeText,
  }),
  scripts: z
    .looseObject({
      installation: z.looseObject({ script: MaybeText, container: MaybeText, entrypoint: MaybeText }).nullish(),
    })
    .nullish(),
  variables: z.preprocess((value) => (value === null ? [] : value), z.array(EggVariable).max(200)).default([]),
})
export type Egg = z.output<typeof Egg>

/** The longest text of an egg, in characters: icons are most of it. */
export const eggCharsMax = 2 * 1024 * 1024

/** The same for YAML, which takes a thousand times longer to read: the worst text of this length some hundred milliseconds. */
const yamlCharsMax = 256 * 1024

/** An honest egg has none. */
const yamlAliasesMax = 20

/** Brackets inside each other: the reader goes a call deeper with each. */
const yamlDepthMax = 100

/** The egg in a text (JSON or YAML) or a value that was parsed already. Throws `invalid_request` that names what is wrong. */
export function readEgg(source: unknown): Egg {
  const parsed = Egg.safeParse(typeof source === 'string' ? parseText(source) : source)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = ['egg', ...(issue?.path ?? []).map(String)].join('.')
  if (where.startsWith('egg.meta'))
    throw invalidRequest(where, `this is no egg of a version that is known (${formats.join(', ')})`)
  throw invalidRequest(where, issue?.message ?? 'is not what an egg has there')
}

function parseText(text: string): unknown {
  if (text.length > eggCharsMax) throw invalidRequest('egg', `is longer than ${eggCharsMax} characters`)
  const bare = text.replace(/^\ufeff/, '')
  try {
    return bare.trimStart().startsWith('{') ? (JSON.parse(bare) as unknown) : parseYaml(bare)
  } catch (error) {
    if (error instanceof AppError) throw error
    const said = error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''
    const why = error instanceof RangeError ? 'it is nested too deeply' : said
    throw invalidRequest('egg', `is neither JSON nor YAML: ${why.slice(0, 200)}`)
  }
}

function parseYaml(text: string): unknown {
  if (text.length > yamlCharsMax)
    throw invalidRequest('egg', `is longer than ${yamlCharsMax} characters of YAML; export it as JSON`)
  let depth = 0
  for (const char of text) {
    if (char === '[' || char === '{') depth += 1
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1)
    if (depth > yamlDepthMax) throw new RangeError('deep')
  }
  if (/^ *(?:[-?] +){64}/m.test(text)) throw new RangeError('deep')
  return parse(text, { maxAliasCount: yamlAliasesMax, logLevel: 'silent', uniqueKeys: false }) as unknown
}

function truth(value: boolean | number | string): boolean {
  return value === true || value === 1 || value === '1' || value === 'true'
}

/** `required|regex:/^(a|b)$/|max:3`: a bar inside a regular expression parts nothing, and Laravel would take it as one that does. */
function splitRules(text: string): string[] {
  const rules: string[] = []
  let rest = text
  while (rest !== '') {
    const regex = /^(?:not_)?regex:(.)(?:\\.|(?!\1).)*\1[a-z]*(?=\||$)/s.exec(rest)
    const bar = rest.indexOf('|')
    const rule = regex?.[0] ?? (bar === -1 ? rest : rest.slice(0, bar))
    rules.push(rule)
    rest = rest.slice(rule.length + 1)
  }
  return rules.map((rule) => rule.trim()).filter((rule) => rule !== '')
}
