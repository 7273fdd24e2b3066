import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import type { WantedTunnel } from '../agent/index.ts'
import { Port, Slug, TunnelName } from '../contract/fields.ts'
import { portsPerTunnelMax, rawKinds } from '../contract/tunnel.ts'
import { CommandError, type Connection, UsageError } from './command.ts'
import { Transport } from './commands/tunnels/forwarding.ts'
import { contradictionIn, HealthPath, wantedOf } from './commands/tunnels/requests.ts'
import { nameFrom, nameSources } from './names/name-source.ts'

/** What the file of a project is called. */
export const projectFileName = 'tunnels.yaml'

const words = {
  ports: 'ports',
  edgePort: 'edgePort',
  raw: 'tcp and udp',
  http2: 'http2',
  pool: 'pool: true',
  healthPath: 'healthPath',
}

const Entry = z
  .strictObject({
    name: TunnelName.optional(),
    /** Instead of a name: what it takes one from. */
    from: z.enum(nameSources).optional(),
    port: Port,
    host: z.string().min(1).max(253).default('localhost'),
    kind: z.enum(['http', 'tls', 'minecraft', ...rawKinds]).default('http'),
    /** With raw kinds: the port on the edge that is wanted, and how many in a row. */
    edgePort: Port.optional(),
    ports: z.int().min(1).max(portsPerTunnelMax).optional(),
    proxyProtocol: z.enum(['v1', 'v2']).optional(),
    http2: z.boolean().optional(),
    pool: z.boolean().optional(),
    healthPath: HealthPath.optional(),
  })
  .superRefine(({ name, from, ...tunnel }, { addIssue }) => {
    if ((name === undefined) === (from === undefined))
      addIssue({ code: 'custom', message: 'needs either a name, or "from", which says what it takes its name from' })
    const message = contradictionIn({ ...tunnel, name: name ?? '' }, words)
    if (message !== null) addIssue({ code: 'custom', message })
  })
export type ProjectEntry = z.output<typeof Entry>

/** The tunnels of a project: what `pharos open` takes, for each of them. It holds no secret, so that it can be shared. */
const ProjectFile = z.strictObject({
  /** Where they are to be opened: commands refuse to open them anywhere else. */
  panel: z.url({ protocol: /^https?$/ }).optional(),
  workspace: Slug.optional(),
  transport: Transport,
  tunnels: z.array(Entry).max(100).default([]),
})

export interface Project {
  path: string
  file: z.output<typeof ProjectFile>
}

/** Reads and checks the file. Throws a `UsageError` that names every problem. */
export async function readProject(path: string): Promise<Project> {
  let content: unknown
  try {
    content = parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message.split('\n')[0]}`)
  }
  const parsed = ProjectFile.safeParse(content ?? {})
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join('.') || 'the file'}: ${message}`)
    throw new UsageError(`${path} is not right:\n${problems.join('\n')}`)
  }
  const names = parsed.data.tunnels.map(({ name, from }) => name ?? `from ${from}`)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`${path} names the tunnel "${twice}" twice.`)
  return { path, file: parsed.data }
}

/** The file of this folder or of the nearest one above it, up to the home folder; null where there is none. */
export async function findProject(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Project | null> {
  const home = env.HOME || homedir()
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, projectFileName)
    const found = await stat(path).catch(() => null)
    if (found?.isFile()) {
      // Whoever may write into a shared folder above could otherwise choose what of this machine becomes public.
      if (process.getuid && found.uid !== process.getuid() && found.uid !== 0)
        throw new CommandError(
          `${path} belongs to another user, so it is not used. Copy it, or name it: pharos agent ${path}`,
        )
      return await readProject(path)
    }
    if (at === home || dirname(at) === at) return null
  }
}

/** The name of a tunnel of the file. */
export const nameOf = async ({ path }: Project, { name, from }: ProjectEntry): Promise<string> =>
  name ?? (from ? await nameFrom(from, dirname(path)) : '')

/** What the agent is to keep open for these tunnels of the file. Two names that turn out to be the same are refused. */
export async function wantedOfProject(project: Project, entries: readonly ProjectEntry[]): Promise<WantedTunnel[]> {
  const wanted: WantedTunnel[] = []
  for (const entry of entries) wanted.push(wantedOf({ ...entry, name: await nameOf(project, entry) }))
  const twice = wanted.find(({ id }, index) => wanted.findIndex((one) => one.id === id) !== index)
  if (twice) throw new UsageError(`${project.path} names the tunnel "${twice.id}" twice.`)
  return wanted
}

/** Throws a `CommandError` unless the connection is to the panel and the workspace that the file names. */
export async function checkPlace({ path, file }: Project, { url, client }: Connection): Promise<void> {
  if (file.panel !== undefined && new URL(file.panel).origin !== new URL(url).origin)
    throw new CommandError(
      `The tunnels of ${path} belong to ${file.panel}, and commands talk to ${url}. Sign in there ("pharos use ${file.panel}"), or change "panel" in the file.`,
    )
  if (file.workspace === undefined) return
  const { slug } = await client.workspace()
  if (slug !== file.workspace)
    throw new CommandError(
      `The tunnels of ${path} belong to workspace ${file.workspace}, and the API key to ${slug}. Use a key of ${file.workspace}, or change "workspace" in the file.`,
    )
}
