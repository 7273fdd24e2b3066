import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { patienceMs } from '../../../test/patience.ts'
import { reservePort } from '../../../test/ports.ts'
import { ServerSpec, type ServerState } from '../../contract/node.ts'
import { Template } from '../../contract/template.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import { silentLog } from '../../lib/log.ts'
import { createDebianPackages } from '../install/debian.ts'
import { openSharedPackages } from '../install/packages.ts'
import { noQuotas, type Quotas } from '../quota/index.ts'
import { openRuntime } from '../runtime/detect.ts'
import { findNodeTools } from '../runtime/node-tools.ts'
import type { Runtime } from '../runtime.ts'
import { openServers, type Servers } from '../supervisor/servers.ts'

/** The source of the tests' game: see `game.cjs`. */
const game = readFileSync(join(import.meta.dirname, 'game.cjs'), 'utf8')

export interface World {
  dataDir: string
  runtime: Runtime
  quotas: Quotas
  servers: Servers
  /** The same node again, as after a restart of it. */
  reopen(): Promise<Servers>
}

export interface WorldOptions {
  /** An existing empty folder; else a temporary one. */
  dataDir?: string
  runtime?: 'sandbox' | 'process'
  clock?: Clock
  processesMax?: number
  /** None unless given. */
  quotas?: Quotas
  /** The socket of a container engine; without it no server runs in a container. */
  engine?: { socket: string; network: 'bridge' | 'host' }
}

/** A node without its API, in a temporary folder, on the real system. */
export async function openWorld(t: TestContext, options: WorldOptions = {}): Promise<World> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'pharos-node-')))
  const runtime = await openTestRuntime(dataDir, options)
  const quotas = options.quotas ?? noQuotas('not asked for')
  const packages = await openSharedPackages(join(dataDir, 'packages'), await findNodeTools())
  const open = (): Promise<Servers> =>
    openServers({
      dataDir,
      runtime,
      packages,
      quotas,
      debian: createDebianPackages(),
      clock: options.clock ?? systemClock,
      log: silentLog,
    })
  const world: World = {
    dataDir,
    runtime,
    quotas,
    servers: await open(),
    async reopen() {
      await world.servers[Symbol.asyncDispose]()
      world.servers = await open()
      return world.servers
    },
  }
  t.after(async () => {
    for (const { id } of world.servers.list()) await world.servers.remove(id)
    await world.servers[Symbol.asyncDispose]()
    await packages[Symbol.asyncDispose]()
    await runtime[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true, force: true })
  })
  return world
}

export async function openTestRuntime(dataDir: string, options: WorldOptions): Promise<Runtime> {
  return openRuntime({
    dataDir,
    tools: await findNodeTools(),
    debian: createDebianPackages(),
    quotas: options.quotas ?? noQuotas('not asked for'),
    log: silentLog,
    prefer: options.runtime ?? 'sandbox',
    ...(options.processesMax ? { processesMax: options.processesMax } : {}),
    ...(options.engine ? { containers: options.engine } : {}),
  })
}

type TemplateInput = Parameters<typeof Template.parse>[0] & object

/** A spec of the tests' game; `template` overrides parts of it. */
export async function makeSpec(
  template: Partial<TemplateInput> = {},
  spec: Partial<ServerSpec> = {},
): Promise<ServerSpec> {
  return ServerSpec.parse({
    id: newShortId(),
    revision: 1,
    name: 'lobby',
    template: Template.parse({
      id: 'test-game',
      name: 'Test game',
      summary: 'For tests',
      protocols: ['tcp'],
      resources: { memory: 256, disk: 1000, cpu: 1 },
      files: [{ path: 'game.cjs', content: game }],
      start: { command: ['node', 'game.cjs'], ready: 'Ready to play', timeoutSeconds: 60 },
      stop: { by: 'command', command: 'stop' },
      stopTimeoutSeconds: 30,
      ...template,
    }),
    resources: { memory: 256, disk: 1000, cpu: 1 },
    variables: {},
    allocations: [{ id: 'alloc', port: await reservePort(), tunnel: false }],
    restartOnCrash: true,
    suspended: false,
    ...spec,
  })
}

/** Resolves with the first state that fits, now or later. */
export function reached(
  servers: Servers,
  id: string,
  fits: ServerState['phase'] | ((state: ServerState) => boolean),
  withinMs = patienceMs,
): Promise<ServerState> {
  const matches = typeof fits === 'function' ? fits : (state: ServerState) => state.phase === fits
  const state = servers.get(id).state()
  if (matches(state)) return Promise.resolve(state)
  return new Promise((resolve, reject) => {
    const seen: string[] = []
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`${id} never got there: ${seen.join(', ')}; now ${JSON.stringify(servers.get(id).state())}`))
    }, withinMs)
    const stop = servers.events.on((event) => {
      if (event.type !== 'state' || event.state.id !== id) return
      seen.push(`${event.state.phase} (${event.state.message ?? ''})`)
      if (!matches(event.state)) return
      clearTimeout(timer)
      stop()
      resolve(event.state)
    })
  })
}

/** Resolves with the first console line that contains `text`, also one that is there already. */
export function printed(servers: Servers, id: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${id} never printed ${text}`)), patienceMs)
    const subscribed = servers.get(id).console.subscribe(1000, (lines) => {
      const line = lines.find((candidate) => candidate.text.includes(text))
      if (!line) return
      clearTimeout(timer)
      void subscribed.then((stop) => stop())
      resolve(line.text)
    })
  })
}

/** Puts a new server, waits until it is installed and started. */
export async function running(servers: Servers, spec: ServerSpec): Promise<ServerSpec> {
  await servers.put(spec)
  await reached(servers, spec.id, 'offline')
  await servers.get(spec.id).power('start')
  await reached(servers, spec.id, 'running')
  return spec
}

/** Sends a command and resolves with the line that answers it. */
export async function ask(servers: Servers, id: string, command: string, answer: string): Promise<string> {
  const line = printed(servers, id, answer)
  await servers.get(id).command(command)
  return line
}
