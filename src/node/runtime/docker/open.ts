import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerCapabilities } from '../../../contract/node.ts'
import type { Log } from '../../../lib/log.ts'
import type { Owner } from '../../runtime.ts'
import { type Containers, createContainers, type ReadyEngine } from './docker.ts'
import { type Engine, openEngine } from './engine.ts'
import { connectEngine, EngineAway, type EngineHttp } from './engine-http.ts'
import { type ContainerTools, prepareContainerTools } from './tools.ts'

export interface OpenContainersOptions {
  dataDir: string
  /** Tells this node's containers from those of others. */
  identity: string
  /** Makes a server's folder ready for its user. */
  prepare(folder: string): Promise<Owner | null>
  /** A unix socket, or null for the first of the usual ones that answers. */
  socket: string | null
  /** `bridge` falls back to `host` where the engine has no networks of its own. */
  network: 'bridge' | 'host'
  processesMax: number
  log: Log
}

export interface OpenedContainers extends Disposable {
  readonly containers: Containers
  /** What containers can do here; null while there is no engine. */
  readonly capabilities: ContainerCapabilities | null
  /** Looks for an engine where none is known yet. Never rejects. */
  refresh(): Promise<void>
}

/** The network of all servers in bridged containers of this machine. They reach the world and not each other. */
const networkName = 'pharos'

/** What the trial's container exits with: nothing else does by chance. */
const trialCode = 42

/** Of the trial, in bytes: engines refuse less than some. */
const trialMemoryBytes = 64 * 1024 * 1024

/** An archive with nothing in it: two empty blocks. */
const emptyTar = Buffer.alloc(1024)

/** Finds the engine and tries out what works with it. An engine that comes later is found by `refresh`. */
export async function openContainers(options: OpenContainersOptions): Promise<OpenedContainers> {
  const { log } = options
  const tools = await prepareContainerTools(join(options.dataDir, 'container-tools'))
  let opening: Promise<Found> | null = null
  let found: Found | null = null
  let complaint = ''
  const ready = (): Promise<Found> => {
    opening ??= findEngine(options, tools).then(
      (engine) => {
        found = engine
        log.info({ engine: engine.capabilities }, 'servers can run in containers')
        return engine
      },
      (error: unknown) => {
        opening = null
        throw error
      },
    )
    return opening
  }
  const opened: OpenedContainers = {
    containers: createContainers({ ...options, tools, ready }),
    get capabilities() {
      return found?.capabilities ?? null
    },
    async refresh() {
      if (found) return
      await ready().catch((error: unknown) => {
        // Once: it is looked for again and again.
        if (String(error) !== complaint) log.info({ err: error }, 'servers cannot run in containers')
        complaint = String(error)
      })
    },
    [Symbol.dispose]: () => found?.http[Symbol.dispose](),
  }
  await opened.refresh()
  return opened
}

interface Found extends ReadyEngine {
  http: EngineHttp
  capabilities: ContainerCapabilities
}

async function findEngine(options: OpenContainersOptions, tools: ContainerTools): Promise<Found> {
  const sockets = options.socket === null ? await usualSockets() : [options.socket]
  let failure: unknown = new EngineAway('no container engine was found at the usual sockets')
  for (const socket of sockets) {
    const http = connectEngine(socket)
    try {
      const engine = await openEngine(http)
      return { http, ...(await tried(options, tools, engine)) }
    } catch (error) {
      http[Symbol.dispose]()
      failure = error
    }
  }
  throw failure
}

/** Where engines listen, that of the whole machine first. */
export async function usualSockets(): Promise<string[]> {
  const own = `/run/user/${process.getuid?.() ?? 0}`
  const paths = ['/run/docker.sock', '/run/podman/podman.sock', `${own}/docker.sock`, `${own}/podman/podman.sock`]
  const there = await Promise.all(paths.map((path) => lstat(path).then((stat) => stat.isSocket(), () => false))) // biome-ignore format: one thing
  return paths.filter((_, index) => there[index])
}

/** Asks the engine at this socket what it is, and nothing else: `Docker Engine 20.10.24`. */
export async function describeEngine(socket: string): Promise<string> {
  using http = connectEngine(socket)
  return (await openEngine(http)).facts.name
}

/** Runs a container of an empty image, with everything that a server's has, until a way is found that works. */
async function tried(
  options: OpenContainersOptions,
  tools: ContainerTools,
  engine: Engine,
): Promise<Pick<Found, 'engine' | 'network' | 'init' | 'capabilities'>> {
  const image = await engine.importImage(emptyTar)
  const bridge = { kind: 'bridge', name: networkName } as const
  const host = { kind: 'host' } as const
  const reasons: string[] = []
  try {
    for (const network of options.network === 'bridge' ? [bridge, host] : [host]) {
      for (const init of [true, false]) {
        const refused = await attempt(options, tools, { engine, network, init }, image)
        if (refused === null) {
          const warnings = warningsOf(options, { engine, network, init }, reasons)
          const { name, kind } = engine.facts
          return { engine, network, init, capabilities: { engine: name, kind, network: network.kind, warnings } }
        }
        reasons.push(refused)
      }
    }
  } finally {
    await engine.removeImage(image).catch((error: unknown) => options.log.warn({ err: error }, 'image not removed'))
  }
  throw new EngineAway(`${engine.facts.name} runs no container as servers need it: ${reasons[0]}`)
}

/** Null where it worked. */
async function attempt(
  options: OpenContainersOptions,
  tools: ContainerTools,
  ready: ReadyEngine,
  image: string,
): Promise<string | null> {
  const probes = join(options.dataDir, 'probe')
  await mkdir(probes, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(probes, 'container-'))
  const containers = createContainers({ ...options, tools, ready: async () => ready })
  try {
    if (ready.network.kind === 'bridge') await ready.engine.ensureNetwork(ready.network.name, networkBody)
    const run = await containers.start({
      folder,
      command: [...tools.begin.slice(0, -1), '-c', `exit ${trialCode}`],
      environment: {},
      limits: { memoryBytes: trialMemoryBytes, cpuCores: 1 },
      shared: null,
      container: { image, startsItself: false, ports: [] },
    })
    const end = await run.ended
    return end.code === trialCode ? null : `a trial ended with ${end.signal ?? `code ${end.code}`}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await containers.sweep(folder).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Servers do not see each other in it, only what each publishes. */
const networkBody = {
  Driver: 'bridge',
  CheckDuplicate: true,
  Labels: { 'org.pharos': 'servers' },
  Options: { 'com.docker.network.bridge.enable_icc': 'false' },
}

function warningsOf(options: OpenContainersOptions, ready: ReadyEngine, reasons: readonly string[]): string[] {
  const { facts } = ready.engine
  const missing = [
    !facts.memoryLimit && 'memory',
    !facts.cpuLimit && 'CPU',
    !facts.processLimit && 'process count',
  ].filter((name) => name !== false)
  const advice = facts.kind === 'podman' ? '; apt-get install catatonit' : ''
  return [
    ...(missing.length > 0
      ? [`Limits of ${missing.join(', ')} are not enforced in containers: ${facts.name} offers none`]
      : []),
    ...(facts.seccomp ? [] : ['System calls of containers are not filtered: the engine has no seccomp']),
    ...(ready.init
      ? []
      : [`Programs in containers that do not handle the stop signal are killed (${reasons[0] ?? 'no init'}${advice})`]),
    ...(ready.network.kind === 'host'
      ? [
          options.network === 'host'
            ? 'Containers share the network of this machine, as configured'
            : `Containers share the network of this machine: ${reasons[0] ?? 'the engine has no bridge'}`,
        ]
      : []),
  ]
}
