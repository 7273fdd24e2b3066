import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../../contract/errors.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import {
  type Confinement,
  type ConfineRequest,
  type LaunchRequest,
  type Owner,
  type Places,
  type Run,
  type RunEnd,
  serverFiles,
} from '../runtime.ts'
import type { Cgroup, Cgroups } from './cgroups.ts'
import { confineInSandbox, Slots } from './confined.ts'
import { launch } from './launch.ts'
import type { NodeTools } from './node-tools.ts'
import type { Owners } from './owners.ts'
import { shareListing } from './proc.ts'
import { findRun, sweepRun } from './recovery.ts'
import { bindArguments, type Mount, staged, systemArguments } from './stage.ts'
import { launcherStatus, noteChildStart, sandboxShape, type TrackedRunOptions, trackRun } from './tracked-run.ts'

const run = promisify(execFile)

/**
 * The default on Linux. As root: join the control group, make a private view of the mounts in which the server's folder has a
 * short reachable path, drop to the server's own user, then bubblewrap in a user namespace. As an ordinary user: bubblewrap
 * alone. Inside, `/` is read-only, `/usr` is the host's, and only `/home/server`, `/tmp`, `/run` and `/dev/shm` can be written.
 */
export interface SandboxOptions {
  /** Null for an ordinary user: then servers are this user's processes. */
  owners: Owners | null
  cgroups: Cgroups | null
  tools: NodeTools
  /** Whether this bubblewrap can forbid user namespaces inside. */
  canDisableUserns: boolean
}

const inside: Places = {
  home: '/home/server',
  template: '/opt/template',
  path: '/opt/node/bin:/usr/local/bin:/usr/bin:/bin:/usr/games',
}

/** What programs expect of /etc: names, certificates, time zone, fonts, where libraries are. No accounts, no secrets. */
const etc = [
  'ssl',
  'ca-certificates',
  'alternatives',
  'resolv.conf',
  'hosts',
  'nsswitch.conf',
  'localtime',
  'timezone',
  'fonts',
  'ld.so.cache',
  'mime.types',
]

/** What eggs call the server's folder: while it runs, and while it is installed. */
const otherHomes = ['/home/container', '/mnt/server']

export function createSandbox(options: SandboxOptions) {
  const groupOf = (folder: string): Cgroup | null => options.cgroups?.group(basename(folder)) ?? null
  const table = shareListing()
  const tracked = (folder: string, cgroup = groupOf(folder)): TrackedRunOptions => ({
    folder,
    shape: sandboxShape,
    cgroup,
    table,
  })
  const slots = new Slots(options.cgroups)
  return {
    places: (): Places => inside,

    async prepare(folder: string): Promise<Owner | null> {
      if (options.owners) return options.owners.prepare(folder)
      await mkdir(join(folder, serverFiles.data), { recursive: true, mode: 0o700 })
      return null
    },

    async start(request: LaunchRequest): Promise<Run> {
      const owner = await this.prepare(request.folder)
      const cgroup = groupOf(request.folder)
      const joins = (await cgroup?.create(request.limits)) ?? []
      const accounts = join(request.folder, 'passwd')
      const uid = owner?.uid ?? process.getuid?.() ?? 0
      await writeFileAtomic(
        accounts,
        `server:x:${uid}:${owner?.gid ?? process.getgid?.() ?? 0}::${inside.home}:/bin/sh\n`,
        0o644,
      )
      const mounts = mountsOf(request, accounts, options.tools)
      const plan = owner ? staged(mounts, owner) : { prefix: [], mounts }
      const { exited } = await launch({
        folder: request.folder,
        cwd: '/',
        joins,
        command: [...plan.prefix, 'bwrap', '--args', '4', '--', ...request.command],
        secretInput: bwrapArguments(plan.mounts, request.environment, options).join('\0'),
      })
      const status = await launcherStatus(request.folder, (now) => now.child !== null)
      if (!status?.child) {
        await sweepRun(tracked(request.folder, cgroup))
        throw new AppError('conflict', 'The sandbox could not be made; the newest lines of the console say why')
      }
      await noteChildStart(request.folder, status)
      return trackRun({ ...tracked(request.folder, cgroup), launcherExited: exited })
    },

    confine: (request: ConfineRequest): Promise<Confinement> => confineInSandbox({ ...options, slots }, request),
    find: (folder: string): Promise<Run | RunEnd | null> => findRun(tracked(folder)),
    sweep: (folder: string): Promise<void> => sweepRun(tracked(folder)),
  }
}

function mountsOf(request: LaunchRequest, accounts: string, tools: NodeTools): Mount[] {
  const mounts: Mount[] = [
    {
      kind: 'folder',
      source: join(request.folder, serverFiles.data),
      name: 'data',
      target: inside.home,
      writable: true,
    },
    { kind: 'file', source: accounts, name: 'passwd', target: '/etc/passwd', writable: false },
    { kind: 'file', source: tools.node, name: 'node', target: '/opt/node/bin/node', writable: false },
  ]
  if (tools.npm)
    mounts.push({
      kind: 'folder',
      source: tools.npm,
      name: 'npm',
      target: '/opt/node/lib/node_modules/npm',
      writable: false,
    })
  if (request.shared)
    mounts.push({ kind: 'folder', source: request.shared, name: 'template', target: inside.template, writable: false })
  return mounts
}

function bwrapArguments(
  mounts: Mount[],
  environment: Readonly<Record<string, string>>,
  options: SandboxOptions,
): string[] {
  const namespaces = [
    '--unshare-user',
    ...(options.canDisableUserns ? ['--disable-userns'] : []),
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
  ]
  return [
    ...namespaces,
    ...['--hostname', 'server', '--new-session', '--json-status-fd', '3'],
    ...systemArguments(),
    ...etc.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    ...bindArguments(mounts),
    ...(options.tools.npm ? ['--symlink', '../lib/node_modules/npm/bin/npm-cli.js', '/opt/node/bin/npm'] : []),
    ...otherHomes.flatMap((path) => ['--symlink', inside.home, path]),
    ...['--remount-ro', '/', '--chdir', inside.home, '--clearenv'],
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
  ]
}

/** Whether bubblewrap is there and works, and what it can: null when it does not, with the reason. */
export async function probeSandbox(
  options: Omit<SandboxOptions, 'canDisableUserns'>,
  folder: string,
): Promise<{ canDisableUserns: boolean } | { refused: string }> {
  let help = ''
  try {
    help = (await run('bwrap', ['--help'])).stdout
  } catch {
    return { refused: 'bubblewrap is not installed' }
  }
  const canDisableUserns = help.includes('--disable-userns')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const server = await mkdtemp(join(folder, 'probe-'))
  try {
    const sandbox = createSandbox({ ...options, canDisableUserns })
    const request = {
      folder: server,
      command: ['/bin/true'],
      environment: {},
      limits: { memoryBytes: 64 * 1024 * 1024, cpuCores: 1 },
      shared: null,
    }
    const outcome = await (await sandbox.start(request)).ended
    if (outcome.code === 0) return { canDisableUserns }
    return { refused: await lastLine(join(server, serverFiles.log)) }
  } catch (error) {
    const line = await lastLine(join(server, serverFiles.log)).catch(() => '')
    return { refused: line || (error instanceof Error ? error.message : String(error)) }
  } finally {
    await rm(server, { recursive: true, force: true })
  }
}

async function lastLine(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trim().split('\n').at(-1) ?? ''
}
