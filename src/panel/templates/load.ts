import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { Template } from '../../contract/template.ts'
import { checkVariables } from './variables.ts'

/** The kinds of server that can be created, by id. */
export type Templates = ReadonlyMap<string, Template>

/**
 * Reads every `<folder>/<id>/template.yaml`. A mistake stops the panel: the error names the file, the key and what is wrong,
 * unknown keys included, since a misspelt limit would otherwise be no limit.
 */
export async function loadTemplates(folder: string): Promise<Templates> {
  const templates = new Map<string, Template>()
  const entries = await readdir(folder, { withFileTypes: true })
  for (const { name } of entries.filter((entry) => entry.isDirectory()).sort(byName)) {
    const file = join(folder, name, 'template.yaml')
    const template = readTemplate(file, await readFile(file, 'utf8'))
    if (template.id !== name) throw new Error(`${file}: id is ${template.id}, but its folder is called ${name}`)
    templates.set(name, template)
  }
  return templates
}

function readTemplate(file: string, text: string): Template {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new Error(`${file} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const parsed = Template.safeParse(value)
  if (!parsed.success) throw new Error(`${file} is not a template:\n${z.prettifyError(parsed.error)}`)
  const template = parsed.data
  for (const { name, rule } of template.variables)
    if (rule.type === 'text' && rule.pattern !== undefined) mustCompile(file, name, rule.pattern)
  const defaults = Object.fromEntries(template.variables.map((variable) => [variable.name, variable.default]))
  const { problems } = checkVariables(template, defaults)
  if (problems.length > 0)
    throw new Error(
      `${file}: ${problems.map(({ where, problem }) => `the default of ${where.replace('body.variables.', '')} ${problem}`).join('; ')}`,
    )
  return template
}

function mustCompile(file: string, variable: string, pattern: string): void {
  try {
    new RegExp(`^(?:${pattern})$`, 'u')
  } catch (cause) {
    throw new Error(`${file}: the pattern of ${variable} is not a regular expression: ${pattern}`, { cause })
  }
}

const byName = (left: { name: string }, right: { name: string }): number => (left.name < right.name ? -1 : 1)
