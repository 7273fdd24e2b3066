import type { Template, TemplateVariable } from '../../contract/template.ts'
import { choiceVariables } from '../../contract/template.ts'

/**
 * The template as an egg of `PTDL_v2`, which both panels read. Null where it is installed or started in a way that eggs have no
 * word for: by packages, by files of its own, or as a program without a shell.
 */
export function exportEgg(template: Template): Record<string, unknown> | null {
  const { start, install, files, stop, egg } = template
  if (start.lines === undefined || install.npm || install.run || install.debian.length > 0 || files.length > 0)
    return null
  const chosen = new Set<string>(Object.values(choiceVariables))
  const names = new Set(template.variables.map(({ name }) => name))
  const marks = (typeof start.ready === 'string' ? [start.ready] : (start.ready ?? [])).map((mark) =>
    typeof mark === 'string' ? mark : `regex:${mark.pattern}`,
  )
  return {
    _comment: 'Exported by Pharos',
    meta: { version: 'PTDL_v2', update_url: egg?.updateUrl ?? null },
    exported_at: egg?.exportedAt ?? null,
    name: template.name,
    author: egg?.author ?? 'unknown@example.com',
    description: template.summary,
    features: egg?.features ?? null,
    docker_images: Object.fromEntries((template.images ?? []).map(({ name, image }) => [name, image])),
    file_denylist: egg?.fileDenylist ?? [],
    startup: start.lines[0]?.line ?? '',
    config: {
      files: JSON.stringify(
        Object.fromEntries((template.patches ?? []).map((patch) => [patch.path, fileOf(patch, names)])),
      ),
      startup: JSON.stringify({ done: marks.length === 1 ? marks[0] : marks }),
      logs: egg?.logs ?? '{}',
      stop: stop.by === 'command' ? stop.command : stop.signal === 'SIGINT' ? '^C' : stop.signal,
    },
    scripts: {
      installation: {
        script: install.script?.text ?? '',
        container: install.script?.image ?? '',
        entrypoint: install.script?.entrypoint ?? 'bash',
      },
    },
    variables: template.variables.filter(({ name }) => !chosen.has(name)).map(variableOf),
  }
}

type Patch = NonNullable<Template['patches']>[number]

function fileOf({ format, set }: Patch, names: ReadonlySet<string>): Record<string, unknown> {
  const text = (value: string): string =>
    value.replace(/\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g, (_, name: string) => `{{${placeholderOf(name, names)}}}`)
  const find = set.map((entry) => {
    if ('to' in entry) return [entry.at, typeof entry.to === 'string' ? text(entry.to) : entry.to]
    return [
      entry.at,
      Object.fromEntries(
        entry.swap.map((swap) => ['from' in swap ? swap.from : `regex:${swap.pattern}`, text(swap.to)]),
      ),
    ]
  })
  return { parser: format === 'lines' ? 'file' : format, find: Object.fromEntries(find) as unknown }
}

const places: Readonly<Record<string, string>> = {
  SERVER_PORT: 'server.build.default.port',
  SERVER_IP: 'server.build.default.ip',
  SERVER_MEMORY: 'server.build.memory',
  SERVER_ID: 'server.uuid',
  HOST_ADDRESS: 'config.docker.interface',
}

function placeholderOf(name: string, names: ReadonlySet<string>): string {
  if (names.has(name)) return `server.build.env.${name}`
  return (Object.hasOwn(places, name) && places[name]) || (name === 'SERVER_NAME' ? 'server.name' : name)
}

function variableOf({
  name,
  label,
  description,
  default: initial,
  rule,
  access,
}: TemplateVariable): Record<string, unknown> {
  return {
    name: label,
    description,
    env_variable: name,
    default_value: initial,
    user_viewable: access !== 'hidden',
    user_editable: access === undefined || access === 'edit',
    rules: rulesOf(rule).join('|'),
    field_type: 'text',
  }
}

function rulesOf(rule: TemplateVariable['rule']): string[] {
  const need = rule.optional || (rule.type === 'text' && rule.min === 0) ? 'nullable' : 'required'
  switch (rule.type) {
    case 'text': {
      const patterns = [rule.pattern ?? [], rule.patterns ?? []]
        .flat()
        .map((pattern) => `regex:/^${bare(pattern).replaceAll('/', '\\/')}$/`)
      return [need, 'string', ...(rule.min > 1 ? [`min:${rule.min}`] : []), `max:${rule.max}`, ...patterns]
    }
    case 'integer':
      return [need, 'integer', `between:${rule.min},${rule.max}`]
    case 'number':
      return [need, 'numeric', `between:${rule.min},${rule.max}`]
    case 'boolean':
      return [need, 'string', 'in:true,false']
    case 'choice':
      return [need, 'string', `in:${rule.of.join(',')}`]
  }
}

/** A bar outside of brackets would part the whole pattern with its ends. */
const bare = (pattern: string): string => (pattern.includes('|') ? `(?:${pattern})` : pattern)
