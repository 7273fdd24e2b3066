import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { conflict, notFound } from '../../contract/errors.ts'
import { incidentsPerReply, type NodeEvent, ServerKey, type ServerSpec, type ServerState } from '../../contract/node.ts'
import type { Incident, Players } from '../../contract/node-watching.ts'
import type { Clock } from '../../lib/clock.ts'
import { newShortId } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import { Signal } from '../../lib/signals.ts'
import { startSleeper } from '../doorman/index.ts'
import type { DebianPackages } from '../install/debian.ts'
import type { SharedPackages } from '../install/packages.ts'
import type { Quotas } from '../quota/index.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { type Runtime, serverFiles } from '../runtime.ts'
import { startMeter } from '../stats/meter.ts'
import { startWatcher } from '../watching/watcher.ts'
import { whyPortTaken } from './ports.ts'
import { writeSpec } from './record.ts'
import { Server, type ServerOutside } from './server.ts'
import { fullDisk } from './words.ts'

const run = promisify(execFile)

export interface ServersOptions {
  dataDir: string
  runtime: Runtime
  packages: SharedPackages
  quotas: Quotas
  debian: DebianPackages
  clock: Clock
  log: Log
}

/** All servers of this node. */
export interface Servers extends AsyncDisposable {
  readonly events: Signal<NodeEvent>
  /** Some server has come, gone, or got another spec. */
  readonly specsChanged: Signal<void>
  specs(): ServerSpec[]
  list(): ServerState[]
  /** Lines that consoles have printed since this node began. */
  readonly consoleLines: number
  /** Who plays where, as far as it is known. */
  players(): ReadonlyMap<string, Players>
  /** What went wrong after that moment, oldest first, as many as fit one reply. */
  incidentsAfter(at: number): Promise<{ id: string; incident: Incident }[]>
  /** Throws `not_found`. */
  get(id: string): Server
  /** See `Server.comingUp`; null for a server that is not here. */
  comingUp(id: string): Promise<void> | null
  /** Makes the server what the spec says; a new one is installed. */
  put(spec: ServerSpec): Promise<ServerState>
  /** Makes a folder of this data folder that has a spec the server of this id, by one rename. Throws `conflict` where there is one. */
  adopt(folder: string, id: string): Promise<ServerState>
  /** Kills it and removes its files; a missing one is success, and one that is not `wanted` is left alone. */
  remove(id: string, wanted?: (spec: ServerSpec) => boolean): Promise<void>
}

/** Finding one server again may take this long before the others go on without it, in ms. */
const recoverMs = 15_000

/** The name of a folder that is being removed: never a server's id. */
const removedPrefix = '.removed-'

/** Loads every server of the data folder and finds their processes again. One that is broken is logged and does not stop the others. */
export async function openServers(options: ServersOptions): Promise<Servers> {
  const { dataDir, clock, log } = options
  const root = join(dataDir, 'servers')
  let lines = 0
  const servers = new Map<string, Server>()
  const events = new Signal<NodeEvent>()
  const specsChanged = new Signal<void>()
  const changes = new Map<string, Queue>()
  await mkdir(root, { recursive: true })

  const meter = startMeter({
    servers: () =>
      [...servers.values()].map((server) => ({
        id: server.id,
        run: server.run,
        folder: join(root, server.id, serverFiles.data),
      })),
    measured: (id, usage) => {
      servers.get(id)?.setUsage(usage)
      events.emit({ type: 'usage', id, usage })
    },
    clock,
    log,
  })

  const whyPortsTaken: ServerOutside['whyPortsTaken'] = async (spec, isHeld) => {
    for (const { port } of spec.allocations) {
      for (const other of servers.values()) {
        if (
          other.id !== spec.id &&
          other.holdsPorts &&
          other.spec.allocations.some((allocation) => allocation.port === port)
        ) {
          return `Port ${port} is used by server ${other.spec.name}; stop that one or give ${spec.name} another port`
        }
      }
      for (const protocol of spec.template.protocols) {
        if (isHeld(port, protocol)) continue
        const why = await whyPortTaken(port, protocol)
        if (why === 'EACCES')
          return `Port ${port} may not be used by this node: the system keeps it for root; give ${spec.name} another port`
        if (why)
          return `${protocol.toUpperCase()} port ${port} is used by another program on this node; stop that program or give ${spec.name} another port`
      }
    }
    return null
  }

  const outside: ServerOutside = {
    ...options,
    whyPortsTaken,
    diskBytes: (id) => meter.diskBytes(id),
    measureDisk: (id) => meter.measureDisk(id),
    changed: (state) => events.emit({ type: 'state', state }),
    happened: (id, incident) => events.emit({ type: 'incident', id, incident }),
  }
  const watcher = startWatcher({
    servers: () => servers.values(),
    players: (id, players) => events.emit({ type: 'players', id, players }),
    clock,
    log,
  })

  const sleeper = startSleeper({
    servers: () => servers.values(),
    players: () => watcher.players,
    clock,
    log,
  })

  const keep = (server: Server): void => {
    servers.set(server.id, server)
    server.console.onLine.on(() => {
      lines += 1
    })
  }

  const recover = async (name: string): Promise<void> => {
    const server = await Server.open(join(root, name), outside)
    if (!server) return void log.warn({ server: name }, 'this folder has no spec: left alone')
    keep(server)
    const done = server
      .recover()
      .catch((error: unknown) => log.error({ err: error, server: name }, 'server not recovered'))
    const timer = new AbortController()
    const late = clock.sleep(recoverMs, timer.signal).then(
      () => log.error({ server: name }, 'finding this server again takes long; the others go on'),
      () => undefined,
    )
    await Promise.race([done, late])
    timer.abort()
  }

  const names = await readdir(root)
  for (const name of names)
    if (name.startsWith(removedPrefix))
      await removeTree(join(root, name)).catch((error: unknown) =>
        log.error({ err: error }, 'removed server not cleared away'),
      )
  const found = names.filter((name) => ServerKey.safeParse(name).success)
  await Promise.all(
    found.map((name) =>
      recover(name).catch((error: unknown) =>
        log.error({ err: error, server: name }, 'server not loaded: its files are broken'),
      ),
    ),
  )

  /** One change of a server's existence at a time. */
  const changing = <T>(id: string, change: () => Promise<T>): Promise<T> => {
    const queue = changes.get(id) ?? new Queue()
    changes.set(id, queue)
    return queue.run(change)
  }

  const create = async (spec: ServerSpec): Promise<ServerState> => {
    const folder = join(root, spec.id)
    const made = await mkdir(folder, { recursive: true, mode: 0o700 }).catch(fullDisk)
    try {
      await writeSpec(folder, spec)
      const server = await Server.open(folder, outside)
      if (!server) throw new Error('the spec has vanished')
      keep(server)
      await server.recover()
      return server.state()
    } catch (error) {
      servers.delete(spec.id)
      if (made !== undefined) await rm(folder, { recursive: true, force: true })
      return fullDisk(error as NodeJS.ErrnoException)
    }
  }

  return {
    events,
    specsChanged,
    specs: () => [...servers.values()].map((server) => server.spec),
    list: () => [...servers.values()].map((server) => server.state()),
    get consoleLines() {
      return lines
    },
    players: () => watcher.players,
    async incidentsAfter(at) {
      const found = await Promise.all(
        [...servers.values()].map(async ({ id, incidents }) =>
          (await incidents.all()).map((incident) => ({ id, incident })),
        ),
      )
      return found
        .flat()
        .filter(({ incident }) => incident.at > at)
        .toSorted((left, right) => left.incident.at - right.incident.at)
        .slice(0, incidentsPerReply)
    },
    get(id) {
      const server = servers.get(id)
      if (!server) throw notFound(`Server ${id}`)
      return server
    },
    comingUp: (id) => servers.get(id)?.comingUp() ?? null,
    put: (spec) =>
      changing(spec.id, async () => {
        const state = await (servers.get(spec.id)?.put(spec) ?? create(spec))
        specsChanged.emit()
        return state
      }),
    adopt: (arrived, id) =>
      changing(id, async () => {
        const folder = join(root, id)
        if (servers.has(id)) throw conflict(`There is a server ${id} already`)
        // A folder without a spec that can be read is no server's; it is in nobody's way.
        await rename(folder, join(root, `${removedPrefix}${id}-${newShortId()}`)).catch(ignoreMissing)
        await rename(arrived, folder)
        const server = await Server.open(folder, outside)
        if (!server) throw new Error('the spec of a server that arrived has vanished')
        servers.set(id, server)
        await server.recover()
        specsChanged.emit()
        return server.state()
      }),
    remove: (id, wanted = () => true) =>
      changing(id, async () => {
        const server = servers.get(id)
        if (!server || !wanted(server.spec)) return
        await server.end()
        const removed = join(root, `${removedPrefix}${id}-${newShortId()}`)
        await rename(join(root, id), removed)
        servers.delete(id)
        events.emit({ type: 'removed', id })
        specsChanged.emit()
        await removeTree(removed)
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([...changes.values()].map((queue) => queue.idle()))
      await sleeper[Symbol.asyncDispose]()
      await watcher[Symbol.asyncDispose]()
      await meter[Symbol.asyncDispose]()
      await Promise.all([...servers.values()].map((server) => server[Symbol.asyncDispose]()))
    },
  }
}

/** `rm` goes from open folder to name and follows no link, also when something changes the tree under it. */
async function removeTree(folder: string): Promise<void> {
  await run('rm', ['-rf', '--one-file-system', '--', folder], { env: toolEnvironment })
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
