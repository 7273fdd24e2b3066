import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { Template } from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'
import { checkVariables } from './variables.ts'

/** The kinds of server that come with the program, by id. */
export type ShippedTemplates = ReadonlyMap<string, Template>

/**
 * Reads every `<folder>/<id>/template.yaml`. A mistake stops the panel: the error names the file, the key and what is wrong,
 * unknown keys included, since a misspelt limit would otherwise be no limit.
 */
export async function loadTemplates(folder: string): Promise<ShippedTemplates> {
  const templates = new Map<string, Template>()
  const entries = await readdir(folder, { withFileTypes: true })
  for (const { name } of entries.filter((entry) => entry.isDirectory()).sort(byName)) {
    const file = join(folder, name, 'template.yaml')
    const template = readTemplate(file, await gather(join(folder, name), parseYaml(file, await readFile(file, 'utf8'))))
    if (template.id !== name) throw new Error(`${file}: id is ${template.id}, but its folder is called ${name}`)
    templates.set(name, template)
  }
  return templates
}

function parseYaml(file: string, text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw new Error(`${file} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** What a template's folder may leave to the files beside it: everything that is not here is checked as it stands. */
const Gathered = z.looseObject({ install: z.looseObject({}).optional(), files: z.array(z.looseObject({})).optional() })

/** A file of the same folder: a plain name, so that a template cannot bring in any other. */
const Beside = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be the name of a file beside template.yaml')

/** Puts the texts of the files that belong to a template into it, since a node gets nothing but the template. */
async function gather(folder: string, value: unknown): Promise<unknown> {
  const parsed = Gathered.safeParse(value)
  if (!parsed.success) return value
  const template = parsed.data
  const npm = await readNpm(join(folder, 'npm'))
  if (npm) template.install = { ...template.install, npm }
  if (template.files) template.files = await Promise.all(template.files.map((file) => withContent(folder, file)))
  return template
}

async function withContent(folder: string, file: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { from, ...rest } = file
  if (from === undefined) return file
  const name = Beside.safeParse(from)
  if (!name.success) throw new Error(`${join(folder, 'template.yaml')}: files.from: ${z.prettifyError(name.error)}`)
  return { ...rest, content: await readFile(join(folder, name.data), 'utf8') }
}

async function readNpm(folder: string): Promise<object | null> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!names) return null
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  const others = names.filter((name) => name !== 'package.json' && name !== 'package-lock.json').sort()
  return {
    packageJson: await read('package.json'),
    packageLock: await read('package-lock.json'),
    files: await Promise.all(others.map(async (name) => ({ name, content: await read(name) }))),
  }
}

function readTemplate(file: string, value: unknown): Template {
  const parsed = Template.safeParse(value)
  if (!parsed.success) throw new Error(`${file} is not a template:\n${z.prettifyError(parsed.error)}`)
  const template = parsed.data
  checkPatterns(template, file)
  const { problems } = checkVariables(template, {}, { isAdmin: true })
  if (problems.length > 0)
    throw new Error(
      `${file}: ${problems.map(({ where, problem }) => `the default of ${where.replace('body.variables.', '')} ${problem}`).join('; ')}`,
    )
  return template
}

function checkPatterns({ variables, start, patches = [] }: Template, file: string): void {
  const mustCompile = (whose: string, pattern: string): void => {
    try {
      compilePattern(pattern)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`${file}: the pattern of ${whose} is not a regular expression: ${pattern}: ${why}`, { cause })
    }
  }
  for (const { name, rule } of variables)
    if (rule.type === 'text')
      for (const pattern of [rule.pattern ?? [], rule.patterns ?? []].flat()) mustCompile(name, pattern)
  for (const mark of typeof start.ready === 'object' ? start.ready : [])
    if (typeof mark === 'object') mustCompile('start.ready', mark.pattern)
  for (const { path, set } of patches)
    for (const entry of set)
      if ('swap' in entry)
        for (const swap of entry.swap) if ('pattern' in swap) mustCompile(`patches of ${path}`, swap.pattern)
}

const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1)
