import { createHash } from 'node:crypto'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type AppError, conflict } from '../../contract/errors.ts'
import type { NodeCapabilities } from '../../contract/node.ts'
import type { Log } from '../../lib/log.ts'
import type { DebianPackages } from '../install/debian.ts'
import type { LaunchRequest, Runtime } from '../runtime.ts'
import { type Cgroups, findCgroups } from './cgroups.ts'
import { withContainers } from './choice.ts'
import { openContainers } from './docker/open.ts'
import type { NodeTools } from './node-tools.ts'
import { createOwners } from './owners.ts'
import { createProcessRuntime } from './process.ts'
import { createSandbox, probeSandbox } from './sandbox.ts'

/** Threads and processes of one server: a large Java server has some hundred, a fork bomb thousands. */
const processesMax = 1024

/** Installing bubblewrap may take this long, in ms: a slow mirror and another package manager at work. */
const aptTimeoutMs = 10 * 60_000

export interface OpenRuntimeOptions {
  dataDir: string
  tools: NodeTools
  debian: DebianPackages
  /** Why disk limits are no quotas of the file system; null where they are. */
  quotas: { refused: string | null }
  log: Log
  /** `process` asks for the fallback even where a sandbox works. */
  prefer?: 'sandbox' | 'process'
  processesMax?: number
  /** Where the container engine is; null looks at the usual places. Without it servers never run in containers. */
  containers?: { socket: string | null; network: 'bridge' | 'host' }
}

/** Finds out what this machine can do and makes the best runtime of it. Says in words what is not enforced. */
export async function openRuntime(options: OpenRuntimeOptions): Promise<Runtime> {
  const { dataDir, log } = options
  const identity = createHash('sha256').update(dataDir).digest()
  const base = await openOwnRuntime(options, identity)
  if (!options.containers) return base
  const opened = await openContainers({
    ...{ dataDir, log, ...options.containers, prepare: (folder: string) => base.prepare(folder) },
    identity: identity.toString('hex').slice(0, 8),
    processesMax: options.processesMax ?? processesMax,
  })
  return withContainers(base, opened)
}

/** The one that needs nothing but this machine. */
async function openOwnRuntime(options: OpenRuntimeOptions, identity: Buffer): Promise<Runtime> {
  const { dataDir, log } = options
  const root = process.getuid?.() === 0
  const cgroups = await findCgroups(
    `pharos-${identity.toString('hex').slice(0, 8)}`,
    options.processesMax ?? processesMax,
  )
  const owners = root ? createOwners(identity.readUInt16BE(8)) : null
  const { tools } = options
  const parts = { owners, cgroups, tools }
  const warnings: string[] = []
  if (options.quotas.refused !== null)
    warnings.push(
      `The disk limit is watched, not a quota of the file system (${options.quotas.refused}): a server past it is stopped within seconds`,
    )

  let refused = 'the configuration asks for plain processes'
  if (options.prefer !== 'process') {
    let probe = await probeSandbox(parts, join(dataDir, 'probe'))
    if (
      'refused' in probe &&
      probe.refused === 'bubblewrap is not installed' &&
      root &&
      (await installBubblewrap(options.debian, log))
    ) {
      probe = await probeSandbox(parts, join(dataDir, 'probe'))
    }
    if (!('refused' in probe)) {
      const sandbox = createSandbox({ ...parts, canDisableUserns: probe.canDisableUserns })
      return withCapabilities(sandbox, { runtime: 'sandbox', isolation: true }, warnings, cgroups, root, log)
    }
    refused = probe.refused
  }

  const advice =
    refused === 'bubblewrap is not installed'
      ? 'apt-get install bubblewrap'
      : 'the documentation of the node names what a sandbox needs'
  warnings.push(
    `Servers are not isolated from each other and from this machine: no sandbox can be made here (${refused}; ${advice})`,
  )
  if (owners) {
    const blocked = await firstUnreachable(dataDir)
    if (blocked)
      warnings.push(
        `Servers may be unable to reach their files: ${blocked} lets nobody but its owner through; use a data folder such as /var/lib/pharos`,
      )
    await mkdir(join(dataDir, 'servers'), { recursive: true })
    for (const folder of [dataDir, join(dataDir, 'servers')]) await chmod(folder, 0o711)
  }
  return withCapabilities(
    createProcessRuntime(parts),
    { runtime: 'process', isolation: false },
    warnings,
    cgroups,
    root,
    log,
  )
}

function withCapabilities(
  runtime: Omit<Runtime, 'capabilities' | 'refresh' | 'provide' | typeof Symbol.asyncDispose>,
  kind: Pick<NodeCapabilities, 'runtime' | 'isolation'>,
  warnings: string[],
  cgroups: Cgroups | null,
  root: boolean,
  log: Log,
): Runtime {
  const controls = cgroups?.controls ?? { memory: false, cpu: false, processes: false }
  const missing = [!controls.memory && 'memory', !controls.cpu && 'CPU', !controls.processes && 'process count'].filter(
    (name) => name !== false,
  )
  if (missing.length > 0) {
    const why = root ? 'this kernel offers no such control group' : 'that needs root or delegated control groups'
    warnings.push(`Limits of ${missing.join(', ')} are not enforced: ${why}`)
  }
  if (!root) warnings.push('All servers run as the user of this node, not as users of their own: that needs root')
  warnings.push('Servers share the network of this machine')
  for (const warning of warnings) log.info({ runtime: kind.runtime }, warning)
  const capabilities: NodeCapabilities = {
    ...kind,
    ownUser: root,
    memoryLimit: controls.memory,
    cpuLimit: controls.cpu,
    processLimit: controls.processes,
    warnings,
    containers: null,
  }
  const start = runtime.start.bind(runtime)
  return Object.assign(runtime, {
    capabilities,
    refresh: async () => undefined,
    async provide() {
      throw noContainers()
    },
    async start(request: LaunchRequest) {
      if (request.container) throw noContainers()
      return start(request)
    },
    [Symbol.asyncDispose]: async () => cgroups?.close(),
  })
}

const noContainers = (): AppError =>
  conflict('This node runs no containers: install Docker Engine or Podman on it, or let the server run in the sandbox')

async function installBubblewrap(debian: DebianPackages, log: Log): Promise<boolean> {
  try {
    log.info('bubblewrap is missing: installing it with apt-get, so that servers run in a sandbox')
    await debian.ensure(['bubblewrap'], (line) => log.debug(line), AbortSignal.timeout(aptTimeoutMs))
    log.info('bubblewrap is installed')
    return true
  } catch (error) {
    log.warn({ err: error }, 'bubblewrap could not be installed')
    return false
  }
}

async function firstUnreachable(folder: string): Promise<string | null> {
  for (let at = dirname(folder); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return at
    if (at === dirname(at)) return null
  }
}
