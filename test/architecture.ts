import { posix } from 'node:path'

/**
 * Which of our folders each folder under `src` may import: things further down know those further up, no process knows
 * another one, and only `roles` and `main.ts` see the processes. docs/architecture.md says why.
 */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  contract: [],
  client: ['contract'],
  http: ['lib', 'contract'],
  link: ['lib', 'contract'],
  openid: ['lib', 'http'],
  settings: ['lib', 'contract'],
  mysql: ['lib', 'contract'],
  mcp: ['lib', 'contract', 'client'],
  panel: ['lib', 'contract', 'http', 'client', 'link', 'mysql', 'mcp', 'openid'],
  node: ['lib', 'contract', 'http', 'client', 'link', 'mysql', 'agent'],
  edge: ['lib', 'contract', 'http', 'client', 'link', 'openid'],
  agent: ['lib', 'contract', 'client', 'link'],
  cli: ['lib', 'contract', 'client', 'agent', 'settings', 'instance', 'mcp'],
  roles: ['lib', 'contract', 'client', 'link', 'settings', 'panel', 'node', 'edge', 'agent'],
  instance: ['lib', 'contract', 'panel', 'node'],
  'main.ts': ['lib', 'settings', 'cli', 'roles', 'instance'],
}

/** What the pages in `web/` may import of `src`: they are a client like any other. */
const webMayImport = ['contract', 'client']

/** Folders that are used by others only through their `index.ts`. */
const closedFolders = ['link', 'http', 'mysql', 'openid']

/** Packages that belong to one place, or to few: another user would tie another part of the product to them. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  'better-sqlite3': ['src/panel/db/'],
  pg: ['src/panel/db/'],
  mysql2: ['src/mysql/'],
  kysely: ['src/panel/'],
  fastify: ['src/http/'],
  ws: ['src/http/', 'src/link/transport/'],
  commander: ['src/cli/'],
  ssh2: ['src/node/sftp/'],
  ioredis: ['src/panel/rates/'],
  'openid-client': ['src/openid/'],
  '@modelcontextprotocol/server': ['src/mcp/'],
}

/** The one file that reads the environment of the process; it hands on what it read. */
const environmentReader = 'src/main.ts'

/** The only package these folders may use, and no Node module: they also run in a browser. */
const browserSafe: Readonly<Record<string, readonly string[]>> = { contract: ['zod'], client: ['zod'] }

/**
 * Every breach of the project's structure, one sentence each, naming the file.
 * @param sources path from the project's folder (`src/panel/panel.ts`, `web/main.tsx`) → text
 */
export function breaches(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  const sliceUses = new Map<string, Set<string>>()
  for (const [path, raw] of sources) {
    const text = withoutComments(raw)
    const isTest = path.endsWith('.test.ts')
    found.push(...nameBreaches(path))
    if (/process\.env\b/.test(text) && path !== environmentReader && !isTest)
      found.push(`${path} reads process.env; only ${environmentReader} does`)
    for (const specifier of importsOf(text)) {
      if (specifier === null) found.push(`${path} imports a computed name; an import is a literal`)
      else if (path.startsWith('web/')) found.push(...webBreaches(path, specifier))
      else if (specifier.startsWith('.')) found.push(...pathBreaches(path, specifier, sliceUses, isTest))
      else found.push(...packageBreaches(path, specifier, isTest))
    }
  }
  return [...found, ...cycles(sliceUses)]
}

function nameBreaches(path: string): string[] {
  return path
    .split('/')
    .filter((part) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(?:test|d))?(\.tsx?)?$/.test(part))
    .map((part) => `${path}: "${part}" is not kebab-case`)
}

function webBreaches(path: string, specifier: string): string[] {
  if (specifier.startsWith('node:')) return [`${path} -> ${specifier}: web runs in a browser`]
  if (!specifier.startsWith('.')) return []
  const target = posix.normalize(posix.join(posix.dirname(path), specifier))
  if (target.startsWith('web/')) return []
  const to = topOf(target)
  if (!target.startsWith('src/') || !webMayImport.includes(to))
    return [`${path} -> ${target}: web may import ${webMayImport.join(' and ')} alone`]
  return to === 'client' && target !== 'src/client/index.ts' ? [`${path} -> ${target}: use src/client/index.ts`] : []
}

function pathBreaches(path: string, specifier: string, sliceUses: Map<string, Set<string>>, isTest: boolean): string[] {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier))
  const forTests = isTest || path.includes('/testing/')
  if (!target.startsWith('src/')) return forTests ? [] : [`${path} -> ${target}: outside src`]
  const from = topOf(path)
  const to = topOf(target)
  if (from !== to) {
    const allowed = mayImport[from]
    if (!allowed) return [`${path}: "${from}" is not in the import table`]
    if (!allowed.includes(to)) return [`${path} -> ${target}: ${from} may not import ${to}`]
    if (closedFolders.includes(to) && target !== `src/${to}/index.ts` && !isTest)
      return [`${path} -> ${target}: use src/${to}/index.ts`]
    return []
  }
  if (from !== 'panel') return []
  const [mine, theirs] = [sliceOf(path), sliceOf(target)]
  if (theirs === null || theirs === mine) return []
  if (mine !== null && !isTest) sliceUses.set(mine, (sliceUses.get(mine) ?? new Set()).add(theirs))
  return target === `src/panel/${theirs}/index.ts` || isTest ? [] : [`${path} -> ${target}: use its index.ts`]
}

function packageBreaches(path: string, specifier: string, isTest: boolean): string[] {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const allowed = browserSafe[topOf(path)]
  if (allowed && !isTest && !allowed.includes(name))
    return [`${path} -> ${specifier}: ${topOf(path)} runs in a browser and uses ${allowed.join(', ')} alone`]
  const homes = packageHomes[name]
  return homes && !isTest && !homes.some((home) => path.startsWith(home))
    ? [`${path} -> ${specifier}: only ${homes.join(' and ')} uses it`]
    : []
}

/** `panel` of `src/panel/x.ts`, `main.ts` of `src/main.ts`. */
const topOf = (path: string): string => path.split('/')[1] ?? ''

/** `servers` of `src/panel/servers/store.ts`; null for a file of the panel itself. */
function sliceOf(path: string): string | null {
  const parts = path.split('/')
  return parts.length > 3 ? (parts[2] ?? null) : null
}

/** What a source imports, statically, dynamically and as a type; null for an import whose name is computed. */
function importsOf(text: string): (string | null)[] {
  const named = text.matchAll(/(?:^|[;\n])\s*(?:import|export)\b[^;'"`()]*?\bfrom\s*(['"])(.*?)\1/g)
  const bare = text.matchAll(/(?:^|[;\n])\s*import\s*(['"])(.*?)\1/g)
  const called = text.matchAll(/\bimport\(\s*(?:(['"])(.*?)\1)?/g)
  return [...named, ...bare, ...called].map((match) => match[2] ?? null)
}

/** Comments mention imports and variables without using them. Strings that look like comments lose nothing that is read here. */
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')

function cycles(uses: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (slice: string, trail: readonly string[]): void => {
    const at = trail.indexOf(slice)
    if (at >= 0) {
      found.push(`a cycle of slices: ${[...trail.slice(at), slice].join(' -> ')}`)
      return
    }
    if (done.has(slice)) return
    for (const next of uses.get(slice) ?? []) visit(next, [...trail, slice])
    done.add(slice)
  }
  for (const slice of uses.keys()) visit(slice, [])
  return found
}
