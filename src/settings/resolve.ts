import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { nearest } from '../lib/nearest.ts'
import { keyOf, type Setting, type Settings, type Values, variableOf } from './setting.ts'

/** What is wrong with how a role was configured: a sentence for each fault, naming the flag, variable or key. */
export class SettingsError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'SettingsError'
    this.problems = problems
  }
}

export interface Sources {
  /** By setting name, as typed. */
  flags: Readonly<Record<string, string | undefined>>
  env: Readonly<Record<string, string | undefined>>
  /** The file that was asked for by flag or variable; it must exist. */
  configFile: string | undefined
  /** Where `pharos.yaml` is read from when no file was asked for, if it is there. */
  defaultFolder(dataDir: string | undefined): string
  /** Every setting of every role: a key of another role is no mistake, a key of none is one. */
  known: Settings
  /** Variables of ours that are no settings. */
  otherVariables: readonly string[]
}

/** Flags win over variables, variables over the file, the file over what is declared. Throws one `SettingsError` with every fault. */
export async function resolveSettings<S extends Settings>(declared: S, sources: Sources): Promise<Values<S>> {
  const problems: string[] = unknownVariables(sources)
  const file = await readConfig(declared, sources, problems)
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(declared)) {
    const given = await find(name, setting, sources, file, problems)
    if (!given) continue
    const parsed = setting.schema.safeParse(given.value)
    if (parsed.success) values[name] = parsed.data
    else
      problems.push(
        `${given.where} must be ${setting.expected}${setting.secret ? '' : `; it is ${show(given.value)}`}.`,
      )
  }
  if (problems.length > 0) throw new SettingsError(problems)
  // Each value has passed the schema that its declaration gives its type from.
  return values as Values<S>
}

interface Given {
  value: unknown
  /** As the person wrote it: `--port`, `PHAROS_PORT`, `port in pharos.yaml`. */
  where: string
}

interface ConfigFile {
  path: string
  keys: Readonly<Record<string, unknown>>
}

async function find(
  name: string,
  setting: Setting<unknown>,
  sources: Sources,
  file: ConfigFile,
  problems: string[],
): Promise<Given | undefined> {
  const direct = setting.secret ? fromEnvOrFile(name, sources, file) : fromAny(name, sources, file)
  if (!setting.secret)
    return direct ?? (setting.default === undefined ? undefined : { value: setting.default, where: `--${keyOf(name)}` })
  const pointer = fromAny(`${name}File`, sources, file)
  if (direct && pointer) problems.push(`${direct.where} and ${pointer.where} are both set: keep one of them.`)
  if (direct || !pointer) return direct
  try {
    return {
      value: (await readFile(String(pointer.value), 'utf8')).trimEnd(),
      where: `The content of ${show(pointer.value)}`,
    }
  } catch (error) {
    problems.push(`${pointer.where} names ${show(pointer.value)}, which cannot be read: ${reason(error)}.`)
    return undefined
  }
}

function fromAny(name: string, sources: Sources, file: ConfigFile): Given | undefined {
  const flag = sources.flags[name]
  return flag === undefined ? fromEnvOrFile(name, sources, file) : { value: flag, where: `--${keyOf(name)}` }
}

function fromEnvOrFile(name: string, sources: Sources, file: ConfigFile): Given | undefined {
  const variable = sources.env[variableOf(name)]
  // Compose files and units set a variable to nothing to mean that it is not set.
  if (variable !== undefined && variable !== '') return { value: variable, where: variableOf(name) }
  const key = keyOf(name)
  const value = file.keys[key]
  return value === undefined || value === null ? undefined : { value, where: `${key} in ${file.path}` }
}

async function readConfig(declared: Settings, sources: Sources, problems: string[]): Promise<ConfigFile> {
  const dataDir = 'dataDir' in declared ? (sources.flags.dataDir ?? sources.env[variableOf('dataDir')]) : undefined
  const path = sources.configFile ?? join(sources.defaultFolder(dataDir), 'pharos.yaml')
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (!isAbsent || sources.configFile !== undefined)
      problems.push(`The configuration file ${path} cannot be read: ${reason(error)}.`)
    return { path, keys: {} }
  }
  try {
    const keys = z.record(z.string(), z.unknown()).parse(parse(content) ?? {})
    const known = keysOf(sources.known)
    for (const key of Object.keys(keys))
      if (!known.includes(key)) problems.push(unknown(`the key "${key}" in ${path}`, key, known))
    return { path, keys }
  } catch (error) {
    const why = error instanceof z.ZodError ? 'it must be a list of "key: value" lines' : reason(error)
    problems.push(`The configuration file ${path} is not right: ${why}.`)
    return { path, keys: {} }
  }
}

/** Orchestrators put variables with our prefix into the environment when a service is called like us. */
const foreignVariable = /^PHAROS_(SERVICE_|PORT_[0-9]+_)/

function unknownVariables({ env, known, otherVariables }: Sources): string[] {
  const variables = [
    ...keysOf(known).map((key) => `PHAROS_${key.toUpperCase().replaceAll('-', '_')}`),
    ...otherVariables,
  ]
  return Object.keys(env)
    .filter((name) => name.startsWith('PHAROS_') && !variables.includes(name) && !foreignVariable.test(name))
    .map((name) => unknown(`the variable ${name}`, name, variables))
}

/** Every key that may stand in the file, those that point to a secret's file included. */
const keysOf = (settings: Settings): string[] =>
  Object.entries(settings).flatMap(([name, setting]) =>
    setting.secret ? [keyOf(name), `${keyOf(name)}-file`] : [keyOf(name)],
  )

function unknown(what: string, name: string, names: readonly string[]): string {
  const meant = nearest(name, names)
  return `There is no setting for ${what}${meant ? `; did you mean ${meant}?` : '.'}`
}

const show = (value: unknown): string => JSON.stringify(value)
const reason = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
