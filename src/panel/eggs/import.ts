import { z } from 'zod'
import { AppError } from '../../contract/errors.ts'
import { isIgnorePattern } from '../../contract/node-backups.ts'
import {
  builtinVariables,
  choiceVariables,
  ImageName,
  type StopMethod,
  Template,
  type TemplateVariable,
} from '../../contract/template.ts'
import { compilePattern } from '../../lib/pattern.ts'
import { type ConfigFile, type Egg, type EggVariable, readEgg } from './egg.ts'
import { translated } from './placeholders.ts'
import { clean, type Note, Report } from './report.ts'
import { ruleOf } from './rules.ts'

export interface Imported {
  template: Template
  notes: Note[]
}

/** Eggs do not say what a server needs: enough for most, and whoever makes a server may say otherwise. */
const resources = { memory: 2048, disk: 10_240, cpu: 2 }

/** Scripts of eggs fetch whole games, in seconds. */
const installTimeoutSeconds = 3600

/** What prints no line that the egg knows counts as running after this, in seconds. */
const startTimeoutSeconds = 600

/** Games that save a large world take minutes, in seconds. */
const stopTimeoutSeconds = 300

/** Where the egg wants its game killed at once, it still gets a moment to end by itself, in seconds. */
const killTimeoutSeconds = 5

/** The template that an egg means, and what became of everything in it. Throws `invalid_request` where it is no egg or cannot be one here. */
export function importEgg(source: unknown, id?: string): Imported {
  const egg = readEgg(source)
  const report = new Report()
  const variables = variablesOf(egg, report)
  const names = new Set(variables.map(({ name }) => name))
  const images = imagesOf(egg, report)
  const lines = linesOf(egg, names, report)
  const stop = stopOf(egg, report)
  const script = scriptOf(egg, report)
  tellRest(egg, report)
  const candidate: z.input<typeof Template> = {
    id: id ?? idOf(egg.name),
    name: clean(egg.name, 80) || 'Egg',
    summary: summaryOf(egg),
    category: 'game',
    protocols: ['tcp', 'udp'],
    resources,
    ...(images.length === 0 ? {} : { images }),
    variables: [...variables, ...choices(images, lines)],
    install: { ...(script ? { script } : {}), timeoutSeconds: installTimeoutSeconds },
    patches: patchesOf(egg, names, report),
    start: { lines, ...readyOf(egg, report), timeoutSeconds: startTimeoutSeconds, late: 'running' },
    ...stop,
    egg: {
      format: egg.meta.version,
      author: egg.author?.slice(0, 320) ?? null,
      uuid: egg.uuid?.slice(0, 64) ?? null,
      updateUrl: egg.meta.update_url?.slice(0, 2048) ?? null,
      exportedAt: egg.exported_at?.slice(0, 64) ?? null,
      features: egg.features.slice(0, 50).map((text) => text.slice(0, 100)),
      tags: egg.tags.slice(0, 50).map((text) => text.slice(0, 100)),
      fileDenylist: protectedBy(egg, report),
      logs: logsOf(egg),
    },
  }
  const parsed = Template.safeParse(candidate)
  if (!parsed.success)
    throw new AppError('invalid_request', `This egg cannot be a template here: ${z.prettifyError(parsed.error)}`, {
      details: parsed.error.issues
        .slice(0, 20)
        .map(({ path, message }) => ({ where: ['egg', ...path.map(String)].join('.'), problem: message })),
    })
  return { template: parsed.data, notes: report.notes }
}

/** `paper-1-21` of `Paper (1.21)`. */
function idOf(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[-0-9]+|-+$/g, '')
  return plain.slice(0, 63).replace(/-+$/, '') || 'egg'
}

const summaryOf = ({ description, name }: Egg): string => {
  const text = clean(description ?? '', 4096)
  return text.length <= 300 ? text || clean(name, 300) : `${text.slice(0, 299)}…`
}

/** Names that mean something else in a server's environment: what stands there is ours, or the system's. */
const taken = new Set<string>([
  ...builtinVariables.filter((name) => name !== 'SERVER_NAME'),
  'HOME',
  'PATH',
  'LANG',
  'STARTUP',
  ...Object.values(choiceVariables),
])

function variablesOf(egg: Egg, report: Report): TemplateVariable[] {
  const found = new Map<string, TemplateVariable>()
  for (const variable of egg.variables) {
    const name = variable.env_variable.trim()
    const where = `variables.${name}`
    if (taken.has(name)) report.dropped(where, 'the node sets a variable of this name itself')
    else if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name))
      report.dropped(where, 'its name is none that an environment can have')
    else if (found.has(name)) report.dropped(where, 'a variable of this name is there already')
    else found.set(name, variableOf(name, variable, report))
  }
  return [...found.values()]
}

function variableOf(
  name: string,
  { name: label, description, default_value, user_editable, user_viewable, rules }: EggVariable,
  report: Report,
): TemplateVariable {
  const where = `variables.${name}`
  const raw = default_value ?? ''
  const initial = clean(raw, 4096)
  if (initial !== raw.trim()) report.changed(where, 'its first value is one line, and no longer than 4096 characters')
  const rule = ruleOf(rules, initial, {
    changed: (message) => report.changed(where, message),
    dropped: (message) => report.dropped(where, message),
  })
  const access = user_editable ? (user_viewable ? null : 'edit') : user_viewable ? 'view' : 'hidden'
  if (user_editable && !user_viewable) report.changed(where, 'people who may change it also see it')
  return {
    name,
    label: clean(label, 80) || name,
    description: clean(description ?? '', 500),
    default: initial,
    rule,
    ...(access === 'view' || access === 'hidden' ? { access } : {}),
  }
}

function imagesOf(egg: Egg, report: Report): { name: string; image: string }[] {
  const all = egg.docker_images
    ? Object.entries(egg.docker_images)
    : [...egg.images, ...(egg.image && !egg.image.startsWith('data:') ? [egg.image] : [])].map(
        (image) => [image, image] as const,
      )
  const found = new Map<string, string>()
  for (const [label, image] of all) {
    // Pelican marks what the panel must not replace by a tilde.
    const plain = image.replace(/^~/, '').trim()
    const name = clean(label, 200).replace(/^~/, '') || plain
    if (!ImageName.safeParse(plain).success)
      report.dropped(`docker_images.${label}`, `${plain} is not the name of a container image`)
    else if (!found.has(name) && found.size < 50) found.set(name, plain)
  }
  return [...found].map(([name, image]) => ({ name, image }))
}

function linesOf(egg: Egg, names: ReadonlySet<string>, report: Report): { name: string; line: string }[] {
  const all = egg.startup_commands ? Object.entries(egg.startup_commands) : [['Default', egg.startup ?? ''] as const]
  const found = new Map<string, string>()
  for (const [label, text] of all) {
    const name = clean(label, 200) || 'Default'
    const unknown = (placeholder: string): void =>
      report.changed(`startup.${name}`, `${placeholder} is left to the shell: no variable of that name is known`)
    const line = translated(text.replace(/\r\n?/g, '\n').trim(), names, unknown)
    if (line !== '' && !found.has(name) && found.size < 20) found.set(name, line)
  }
  if (found.size === 0) throw new AppError('invalid_request', 'The egg says no line that starts its server')
  return [...found].map(([name, line]) => ({ name, line }))
}

/** Several images or lines are chosen by a variable like any other. */
function choices(images: readonly { name: string }[], lines: readonly { name: string }[]): TemplateVariable[] {
  const choice = (name: string, label: string, of: readonly { name: string }[]): TemplateVariable[] =>
    of.length < 2
      ? []
      : [
          {
            name,
            label,
            description: '',
            default: of[0]?.name ?? '',
            rule: { type: 'choice', of: of.map((each) => each.name) },
          },
        ]
  return [
    ...choice(choiceVariables.image, 'Container image', images),
    ...choice(choiceVariables.line, 'Start line', lines),
  ]
}

const signals: Readonly<Record<string, 'SIGINT' | 'SIGTERM' | 'SIGQUIT'>> = {
  '^C': 'SIGINT',
  C: 'SIGINT',
  SIGINT: 'SIGINT',
  SIGTERM: 'SIGTERM',
  '^\\': 'SIGQUIT',
  SIGQUIT: 'SIGQUIT',
}

function stopOf({ config }: Egg, report: Report): { stop: StopMethod; stopTimeoutSeconds: number } {
  const text = clean(config.stop ?? '', 500)
  const name = text.toUpperCase()
  const signal = Object.hasOwn(signals, name) ? signals[name] : undefined
  if (signal) return { stop: { by: 'signal', signal }, stopTimeoutSeconds }
  if (text === '' || text.startsWith('^') || text === 'SIGKILL') {
    report.changed(
      'config.stop',
      `${text === '' ? 'nothing is said' : text}: it is asked to end by SIGINT, and killed ${killTimeoutSeconds} seconds later`,
    )
    return { stop: { by: 'signal', signal: 'SIGINT' }, stopTimeoutSeconds: killTimeoutSeconds }
  }
  return { stop: { by: 'command', command: text }, stopTimeoutSeconds }
}

const parsers = {
  properties: 'properties',
  yaml: 'yaml',
  yml: 'yaml',
  json: 'json',
  ini: 'ini',
  xml: 'xml',
  file: 'lines',
  plain: 'lines',
} as const

type Patch = NonNullable<z.input<typeof Template>['patches']>[number]

function patchesOf(egg: Egg, names: ReadonlySet<string>, report: Report): Patch[] {
  const patches: Patch[] = []
  for (const [name, file] of Object.entries(egg.config.files)) {
    const where = `config.files.${name}`
    const path = name.replace(/^(?:\.?\/)+/, '')
    const format = Object.hasOwn(parsers, file.parser) ? parsers[file.parser as keyof typeof parsers] : undefined
    if (format === undefined) report.dropped(where, `there is no parser called ${file.parser}; the file stays as it is`)
    else if (
      path === '' ||
      path.length > 500 ||
      path.split('/').some((part) => part === '..' || part === '') ||
      path.includes('{{')
    )
      report.dropped(where, 'this is no path inside the server’s folder')
    else if (patches.length === 50) report.dropped(where, 'a template patches 50 files at most')
    else patches.push({ path, format, set: settingsOf(file, names, where, report) })
  }
  return patches
}

function settingsOf({ find }: ConfigFile, names: ReadonlySet<string>, where: string, report: Report): Patch['set'] {
  const set: Patch['set'] = []
  const text = (value: string, at: string): string =>
    translated(value, names, (placeholder) =>
      report.dropped(`${where}.${at}`, `${placeholder} means nothing here and is written as it stands`),
    ).slice(0, 8192)
  const put = (at: string, value: unknown): void => {
    if (at === '' || at.length > 500) {
      report.dropped(where, 'a place without a name, or with one of more than 500 characters')
      return
    }
    if (set.length === 500) {
      report.dropped(`${where}.${at}`, 'a template sets 500 values of a file at most')
      return
    }
    if (typeof value === 'string') set.push({ at, to: text(value, at) })
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) set.push({ at, to: value })
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const swap = swapsOf(
        value as Record<string, unknown>,
        (each) => text(each, at),
        (message) => report.dropped(`${where}.${at}`, message),
      )
      if (swap.length > 0) set.push({ at, swap })
    } else report.dropped(`${where}.${at}`, 'a list cannot be written as a value')
  }
  for (const [at, value] of Object.entries(find)) put(at, value)
  return set
}

type Swap = Extract<Patch['set'][number], { swap: unknown }>['swap'][number]

function swapsOf(
  value: Record<string, unknown>,
  text: (value: string) => string,
  dropped: (message: string) => void,
): Swap[] {
  const swaps: Swap[] = []
  for (const [from, to] of Object.entries(value).slice(0, 50)) {
    if (typeof to !== 'string' && typeof to !== 'number' && typeof to !== 'boolean')
      dropped(`${from}: what it becomes is no text`)
    else if (!from.startsWith('regex:')) swaps.push({ from: from.slice(0, 500), to: text(String(to)) })
    else {
      const pattern = from.slice('regex:'.length)
      const why = whyNoPattern(pattern)
      if (why === null) swaps.push({ pattern, to: text(String(to)) })
      else dropped(`regex:${pattern}: ${why}`)
    }
  }
  return swaps
}

function readyOf({ config }: Egg, report: Report): Pick<z.input<typeof Template>['start'], 'ready'> {
  const { done, userInteraction, ...others } = config.startup
  const marks: (string | { pattern: string })[] = []
  for (const mark of [done].flat()) {
    if (typeof mark !== 'string' || mark === '') continue
    if (!mark.startsWith('regex:')) marks.push(mark.slice(0, 500))
    else {
      const pattern = mark.slice('regex:'.length)
      const why = whyNoPattern(pattern)
      if (why === null) marks.push({ pattern })
      else report.dropped('config.startup.done', `regex:${pattern}: ${why}`)
    }
  }
  if (Array.isArray(userInteraction) && userInteraction.length > 0)
    report.dropped('config.startup.userInteraction', 'nothing asks people for input while a server starts')
  // What is shown has no colours and other escape sequences anyway.
  for (const key of Object.keys(others))
    if (key !== 'strip_ansi') report.dropped(`config.startup.${key}`, 'nothing is known of it')
  if (marks.length === 0) {
    report.changed(
      'config.startup.done',
      'it names no line, so the server counts as running once its process has started',
    )
    return {}
  }
  return { ready: marks.slice(0, 20) }
}

function whyNoPattern(pattern: string): string | null {
  try {
    compilePattern(pattern)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : 'it is no pattern'
  }
}

function scriptOf({ scripts }: Egg, report: Report): { image: string; entrypoint: string; text: string } | null {
  const { script, container, entrypoint } = scripts?.installation ?? {}
  const text = (script ?? '').replace(/\r\n?/g, '\n')
  if (text.trim() === '') return null
  const image = (container ?? '').trim()
  if (!ImageName.safeParse(image).success) {
    report.dropped(
      'scripts.installation',
      `${image === '' ? 'no image' : image} is not the name of a container image, so the script cannot run`,
    )
    return null
  }
  return { image, entrypoint: clean(entrypoint ?? '', 200) || 'bash', text }
}

function logsOf({ config: { logs } }: Egg): string | null {
  const text = JSON.stringify(logs) ?? ''
  return text === '{}' || text === '[]' || text.length > 4096 ? null : text
}

/** A pattern that says nothing, or takes too long to match, protects nothing. */
function protectedBy({ file_denylist }: Egg, report: Report): string[] {
  const kept = file_denylist.filter((line) => line.length <= patternCharsMax && isIgnorePattern(line))
  for (const line of file_denylist)
    if (!kept.includes(line))
      report.dropped(
        'file_denylist',
        `${JSON.stringify(line.slice(0, 100))} is no pattern that can be held: it protects nothing`,
      )
  if (kept.length > patternsMax) report.dropped('file_denylist', `only the first ${patternsMax} patterns protect`)
  return kept.slice(0, patternsMax)
}

/** Of what an egg protects: what a template holds. */
const patternsMax = 200
const patternCharsMax = 500

/** Features of the panels that eggs come from, and what does their work here. */
const features: Readonly<Record<string, string>> = {
  eula: 'nobody is asked to agree to Minecraft’s terms: set eula=true in eula.txt when you do',
  java_version: 'another Java is chosen by the variable DOCKER_IMAGE where there are several images',
  pid_limit: 'the node’s own limits of processes hold',
  gsl_token: 'nobody is asked for a Steam token: set its variable',
  steam_disk_space: 'the console says when the disk is full',
}

const known = new Set([
  '_comment',
  'meta',
  'exported_at',
  'name',
  'author',
  'uuid',
  'description',
  'features',
  'tags',
  'file_denylist',
  'images',
  'image',
  'docker_images',
  'startup',
  'startup_commands',
  'config',
  'scripts',
  'variables',
])

function tellRest(egg: Egg, report: Report): void {
  for (const feature of egg.features)
    report.kept(
      `features.${feature}`,
      (Object.hasOwn(features, feature) && features[feature]) || 'nothing here knows it',
    )
  if (logsOf(egg) !== null) report.kept('config.logs', 'the console is read from the program’s output')
  if (egg.image?.startsWith('data:') || 'icon' in egg) report.dropped('image', 'templates have no icon')
  for (const key of Object.keys(egg))
    if (!known.has(key) && key !== 'icon') report.dropped(key, 'nothing is known of it')
  report.changed(
    'resources',
    `an egg does not say what its servers need: ${resources.memory} MiB of memory, ${resources.disk} MiB of disk, ${resources.cpu} cores, unless it is said when one is made`,
  )
  report.changed('protocols', 'an egg does not say which transports its port needs: TCP and UDP')
}
