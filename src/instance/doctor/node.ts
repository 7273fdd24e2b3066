import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { examineIsolation } from '../../node/examine.ts'
import { type Finding, limited, ok } from './finding.ts'
import type { Machine } from './machine.ts'
import type { DoctorRequest } from './request.ts'

/** What a node needs to keep servers apart, to hold them to their limits, and to install them. */
export async function examineNode(request: DoctorRequest): Promise<Finding[]> {
  const { machine, settings, root } = request
  const isolation = await examineIsolation(settings.dockerSocket)
  return [
    sandboxFinding(isolation.sandbox),
    ...controlFindings(isolation.cgroups, machine.uid === 0),
    containerFinding(settings.dockerSocket, isolation.engine),
    npmFinding(isolation.npm),
    ...(await toolFindings(machine)),
    ...(await templateFindings(machine, root)),
  ]
}

type Isolation = Awaited<ReturnType<typeof examineIsolation>>

export function sandboxFinding(sandbox: Isolation['sandbox']): Finding {
  if (sandbox.refused === null) return ok('sandbox', 'bubblewrap makes sandboxes')
  const installed = sandbox.refused !== 'bubblewrap is not installed'
  return limited(
    'sandbox',
    installed ? `bubblewrap makes no sandbox here (${sandbox.refused})` : sandbox.refused,
    'servers are not isolated from each other and from this machine: run only what you trust',
    installed
      ? 'allow user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), or in a container give it more rights'
      : 'apt-get install bubblewrap; on Debian a node that runs as root installs it at its start',
  )
}

export function controlFindings(cgroups: Isolation['cgroups'], root: boolean): Finding[] {
  const { memory, cpu, processes } = cgroups?.controls ?? { memory: false, cpu: false, processes: false }
  const lacking = [!memory && 'memory', !cpu && 'CPU', !processes && 'the number of processes'].filter(
    (name) => name !== false,
  )
  if (lacking.length === 0) return [ok('cgroups', `control groups of version ${cgroups?.version} hold all limits`)]
  return [
    limited(
      'cgroups',
      cgroups
        ? `control groups of version ${cgroups.version}, without ${lacking.join(' and ')}`
        : 'no control group may be written',
      `limits of ${lacking.join(', ')} are not enforced: one server can starve the others`,
      root
        ? 'use a kernel, or a container, with those controllers'
        : 'run the node as root, or with Delegate=yes under systemd',
    ),
  ]
}

export function containerFinding(setting: string, engine: Isolation['engine']): Finding {
  if (setting === 'none') return ok('containers', 'containers are switched off (docker-socket)')
  const cost = 'no server of this node runs in a container, and eggs install without their own image'
  if (engine === null)
    return limited(
      'containers',
      'no container engine was found',
      cost,
      'apt-get install docker.io, or podman and systemctl enable --now podman.socket',
    )
  if (engine.refused !== null)
    return limited(
      'containers',
      `the container engine at ${engine.socket} does not answer (${engine.refused})`,
      cost,
      'start it, or let this user use its socket',
    )
  return ok('containers', `${engine.name} answers at ${engine.socket}`)
}

const npmFinding = (npm: boolean): Finding =>
  npm
    ? ok('tools', 'npm is installed')
    : limited(
        'tools',
        'npm is not installed',
        'templates that need its packages are not installed, "minecraft" among them',
        'install Node.js with its npm, or apt-get install npm',
      )

interface Tool {
  programs: readonly string[]
  found: string
  cost: string
  packages: string
  /** On Debian a node that runs as root installs it by itself, when it is first needed. */
  brought: boolean
}

const tools: readonly Tool[] = [
  {
    programs: ['mariadbd', 'mariadb-install-db', 'mariadb-dump'],
    found: 'MariaDB',
    cost: 'servers have no databases on this node, unless a database host is registered',
    packages: 'mariadb-server-core mariadb-client-core',
    brought: true,
  },
  {
    programs: ['java'],
    found: 'Java',
    cost: 'templates and eggs that start a Java game in the sandbox do not run',
    packages: 'default-jre-headless',
    brought: false,
  },
  {
    programs: ['restic'],
    found: 'restic',
    cost: 'incremental backups are not made on this node; plain archives are',
    packages: 'restic',
    brought: true,
  },
]

async function toolFindings(machine: Machine): Promise<Finding[]> {
  const findings: Finding[] = []
  const installs = await installsPackages(machine)
  for (const { programs, found, cost, packages, brought } of tools) {
    const comes = brought && installs
    const lacking: string[] = []
    for (const program of programs) if (!(await machine.program(program))) lacking.push(program)
    findings.push(
      lacking.length === 0
        ? ok('tools', `${found} is installed`)
        : limited(
            'tools',
            `${found} is not installed (${lacking.join(', ')})`,
            comes ? 'who needs it first waits until the node has installed it' : cost,
            `${comes ? 'nothing, or ' : ''}apt-get install --no-install-recommends ${packages}`,
          ),
    )
  }
  return findings
}

const installsPackages = async ({ uid, program }: Machine): Promise<boolean> =>
  uid === 0 && (await program('apt-get')) !== null

/** Of a template only what it installs from Debian matters here; the panel reads the rest. */
const TemplatePackages = z.looseObject({
  install: z.looseObject({ debian: z.array(z.string()).optional() }).optional(),
})

async function templateFindings(machine: Machine, root: string): Promise<Finding[]> {
  const findings: Finding[] = []
  const installs = await installsPackages(machine)
  for (const file of globSync('*/template.yaml', { cwd: join(root, 'templates') }).sort()) {
    const parsed = TemplatePackages.safeParse(parse(await readFile(join(root, 'templates', file), 'utf8')))
    const packages = parsed.data?.install?.debian ?? []
    const status = (await machine.text('/var/lib/dpkg/status')) ?? ''
    const lacking = packages.filter((name) => !isInstalled(status, name))
    if (lacking.length === 0 || installs) continue
    findings.push(
      limited(
        'templates',
        `the template "${file.split('/')[0]}" needs ${lacking.join(', ')}`,
        'its servers are not installed: only root may install packages, and only those of Debian are',
        `have root run apt-get install --no-install-recommends ${lacking.join(' ')}`,
      ),
    )
  }
  return findings
}

/** By dpkg's own list, which everybody may read. */
export const isInstalled = (status: string, name: string): boolean =>
  status
    .split('\n\n')
    .some((entry) => entry.startsWith(`Package: ${name}\n`) && /^Status: install ok installed$/m.test(entry))
