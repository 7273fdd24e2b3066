import { once } from 'node:events'
import { conflict, notFound } from '../../src/contract/errors.ts'
import type { LogLevelOrder } from '../../src/contract/log-level.ts'
import {
  type ConsoleLine,
  type NodeEvent,
  type NodeFacts,
  nodeOperations,
  nodeSockets,
  type ServerSpec,
  type ServerState,
} from '../../src/contract/node.ts'
import { nodeDatabaseOperations } from '../../src/contract/node-databases.ts'
import { nodeProtocols } from '../../src/contract/node-protocol.ts'
import type { Incident } from '../../src/contract/node-watching.ts'
import type { Contexts, Handlers, SocketHandlers } from '../../src/contract/operation.ts'
import { type Api, createApi, part, socketPart } from '../../src/http/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Signal } from '../../src/lib/signals.ts'
import { type Dialler, dialLink, type Link, LinkError } from '../../src/link/index.ts'

interface FakeServer {
  spec: ServerSpec
  state: ServerState
  lines: ConsoleLine[]
  nextSeq: number
}

interface NodeContexts extends Contexts {
  peer: object
}

export interface FakeNodeOptions {
  dialler: Dialler
  credential: string
  memoryMib?: number
}

/**
 * For tests alone: a node that speaks the whole node contract over a real link, and whose servers are entries in memory.
 * Installing and starting last until the test says otherwise where it switched `installs` or `starts` to 'held'.
 */
export class FakeNode implements AsyncDisposable {
  readonly servers = new Map<string, FakeServer>()
  /** What the panel asked for, in order: `power start 1a7ce997`. */
  readonly asked: string[] = []
  readonly #options: FakeNodeOptions
  readonly #events = new Signal<NodeEvent>()
  readonly #lines = new Signal<{ server: string; lines: ConsoleLine[] }>()
  readonly #asks = new Signal<string>()
  /** Databases by name, with the password of each. */
  readonly databases = new Map<string, string>()
  /** How much it was told to log. */
  readonly logLevels: LogLevelOrder[] = []
  /** What went wrong with its servers, oldest first. */
  readonly incidents: { id: string; incident: Incident }[] = []
  edges: unknown = null
  panels: unknown = null
  /** Ports that some other program of the machine uses. */
  readonly foreignPorts = new Set<number>()
  installs: 'at once' | 'held' = 'at once'
  starts: 'at once' | 'held' = 'at once'
  /** Throws from the operation whose name it is given, or waits. */
  meddle: (operation: string, server: string | null) => void | Promise<void> = () => undefined
  #api: Api | null = null
  readonly #links = new Set<Link>()

  constructor(options: FakeNodeOptions) {
    this.#options = options
  }

  /**
   * Links to the panel, or to another of the same database as well. Resolves once that panel has opened the event stream: it
   * then knows every state.
   */
  async connect(dialler = this.#options.dialler): Promise<Link> {
    this.#api ??= await createApi<NodeContexts>({
      prefix: '',
      parts: [
        part(nodeOperations, this.#handlers()),
        part(nodeDatabaseOperations, this.#databaseHandlers()),
        socketPart(nodeSockets, this.#sockets()),
      ],
      gate: { admit: () => ({}) },
      log: silentLog,
      cors: false,
    })
    const api = this.#api
    const listening = this.heard('events')
    const link = await dialLink({
      dialler,
      hello: {
        role: 'node',
        version: 1,
        credential: this.#options.credential,
        software: 'fake',
        protocol: nodeProtocols,
      },
      events: {
        onStream: (stream, head) => {
          if (typeof head === 'object' && head && 'protocol' in head && head.protocol === 'http') api.serve(stream)
          else stream.destroy(new LinkError('refused', 'not HTTP'))
        },
      },
    })
    this.#links.add(link)
    void link.closed.then(() => this.#links.delete(link))
    await Promise.race([listening, link.closed])
    return link
  }

  /** Goes away, as a machine that lost its network does; its servers live on. */
  async leave(): Promise<void> {
    const links = [...this.#links]
    for (const link of links) link.close('going away')
    await Promise.all(links.map(({ closed }) => closed))
  }

  /** Resolves when the panel asks for something that begins so. */
  heard(ask: string): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#asks.on((asked) => {
        if (!asked.startsWith(ask)) return
        stop()
        resolve()
      })
    })
  }

  /** Says so to the panel, true or not. */
  tell(event: NodeEvent): void {
    this.#events.emit(event)
  }

  print(server: string, ...texts: string[]): void {
    const entry = this.#need(server)
    const lines = texts.map((text) => ({ seq: entry.nextSeq++, at: 1_700_000_000_000, text }))
    entry.lines.push(...lines)
    this.#lines.emit({ server, lines })
  }

  enter(server: string, phase: ServerState['phase'], message: string | null = null): ServerState {
    const entry = this.#need(server)
    entry.state = { ...entry.state, phase, message, since: Math.max(Date.now(), entry.state.since + 1) }
    this.#events.emit({ type: 'state', state: entry.state })
    return entry.state
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave()
    await this.#api?.[Symbol.asyncDispose]()
  }

  #need(server: string): FakeServer {
    const entry = this.servers.get(server)
    if (!entry) throw notFound(`Server ${server}`)
    return entry
  }

  async #note(operation: string, server: string | null, extra = ''): Promise<void> {
    const asked = [operation, extra, server ?? ''].filter((word) => word !== '').join(' ')
    this.asked.push(asked)
    this.#asks.emit(asked)
    await this.meddle(operation, server)
  }

  #handlers(): Handlers<typeof nodeOperations, NodeContexts> {
    return {
      facts: async () => {
        await this.#note('facts', null)
        return this.#facts()
      },
      servers: async () => {
        await this.#note('servers', null)
        return [...this.servers.values()].map(({ state }) => state)
      },
      putServer: async ({ params, body }) => {
        await this.#note('putServer', params.server)
        return this.#put(body)
      },
      server: async ({ params }) => {
        await this.#note('server', params.server)
        return this.#need(params.server).state
      },
      power: async ({ params, body }) => {
        await this.#note('power', params.server, body.action)
        return this.#power(params.server, body.action)
      },
      reinstall: async ({ params }) => {
        await this.#note('reinstall', params.server)
        return this.#install(params.server)
      },
      console: async ({ params, query }) => {
        await this.#note('console', params.server)
        return this.#need(params.server).lines.slice(-query.size)
      },
      command: async ({ params, body }) => {
        await this.#note('command', params.server)
        if (this.#need(params.server).state.phase !== 'running') throw conflict('It is not running.')
        this.print(params.server, `> ${body.command}`)
        return {}
      },
      removeServer: async ({ params }) => {
        await this.#note('removeServer', params.server)
        this.servers.delete(params.server)
        this.#events.emit({ type: 'removed', id: params.server })
        return {}
      },
      incidents: async ({ query }) => {
        await this.#note('incidents', null)
        return this.incidents.filter(({ incident }) => incident.at > query.after).slice(0, 30)
      },
      freePorts: async ({ body }) => {
        await this.#note('freePorts', null)
        return { free: body.ports.filter((port) => !this.foreignPorts.has(port)) }
      },
      putEdges: async ({ body }) => {
        this.edges = body
        await this.#note('putEdges', null)
        return {}
      },
      putPanels: async ({ body }) => {
        this.panels = body
        await this.#note('putPanels', null)
        return {}
      },
      putLogLevel: ({ body }) => {
        this.logLevels.push(body)
        return {}
      },
    }
  }

  #databaseHandlers(): Handlers<typeof nodeDatabaseOperations, NodeContexts> {
    return {
      hasDatabase: async ({ params }) => {
        await this.#note('hasDatabase', params.database)
        return { exists: this.databases.has(params.database) }
      },
      createDatabase: async ({ params, body }) => {
        await this.#note('createDatabase', params.database)
        if (this.databases.has(params.database)) throw conflict('There is such a database.')
        this.databases.set(params.database, body.password)
        await this.#note('createdDatabase', params.database)
        return { host: '127.0.0.1', port: 23_306 }
      },
      setDatabasePassword: async ({ params, body }) => {
        await this.#note('setDatabasePassword', params.database)
        if (!this.databases.has(params.database)) throw conflict('There is no such database.')
        this.databases.set(params.database, body.password)
        await this.#note('didSetDatabasePassword', params.database)
        return {}
      },
      dropDatabase: async ({ params }) => {
        await this.#note('dropDatabase', params.database)
        this.databases.delete(params.database)
        await this.#note('droppedDatabase', params.database)
        return {}
      },
      databaseSizes: async ({ body }) => {
        await this.#note('databaseSizes', null)
        return {
          sizes: body.databases
            .filter((database) => this.databases.has(database))
            .map((database) => ({ database, bytes: 16_384 })),
        }
      },
    }
  }

  #sockets(): SocketHandlers<typeof nodeSockets, NodeContexts> {
    return {
      events: async ({ channel }) => {
        for (const { state } of this.servers.values()) channel.send({ type: 'state', state })
        const stop = this.#events.on((event) => channel.send(event))
        await this.#note('events', null)
        if (!channel.signal.aborted) await once(channel.signal, 'abort')
        stop()
      },
      consoleLines: async ({ params, query, channel }) => {
        const entry = this.#need(params.server)
        channel.send(query.backlog === 0 ? [] : entry.lines.slice(-query.backlog))
        const stop = this.#lines.on(({ server, lines }) => {
          if (server === params.server) channel.send(lines)
        })
        await this.#note('consoleLines', params.server)
        if (!channel.signal.aborted) await once(channel.signal, 'abort')
        stop()
      },
    }
  }

  #put(spec: ServerSpec): ServerState {
    const known = this.servers.get(spec.id)
    if (known) {
      if (spec.revision > known.spec.revision) {
        known.spec = spec
        known.state = { ...known.state, revision: spec.revision }
      }
      return known.state
    }
    const state: ServerState = {
      id: spec.id,
      revision: spec.revision,
      phase: 'installing',
      since: Date.now(),
      message: null,
      lastExit: null,
      usage: null,
    }
    this.servers.set(spec.id, { spec, state, lines: [], nextSeq: 0 })
    return this.#install(spec.id)
  }

  #install(server: string): ServerState {
    const state = this.enter(server, 'installing')
    if (this.installs === 'at once') setImmediate(() => this.servers.has(server) && this.enter(server, 'offline'))
    return state
  }

  #power(server: string, action: 'start' | 'stop' | 'restart' | 'kill'): ServerState {
    const { state } = this.#need(server)
    if (state.phase === 'installing' || state.phase === 'install_failed') throw conflict('It is not installed.')
    const up = state.phase === 'running' || state.phase === 'starting'
    if (action === 'start' && up) return state
    if ((action === 'stop' || action === 'kill') && state.phase === 'offline') return state
    if (action === 'stop' || action === 'kill') return this.enter(server, 'offline')
    this.enter(server, 'starting')
    if (this.starts === 'at once') this.enter(server, 'running')
    this.print(server, 'ready')
    return this.#need(server).state
  }

  #facts(): NodeFacts {
    return {
      version: '0.0.0',
      hostname: 'fake-host',
      platform: 'linux',
      cpuCores: 4,
      memoryBytes: (this.#options.memoryMib ?? 65_536) * 1_048_576,
      diskBytes: 1e12,
      diskFreeBytes: 5e11,
      capabilities: {
        runtime: 'process',
        isolation: false,
        ownUser: false,
        memoryLimit: false,
        cpuLimit: false,
        processLimit: false,
        warnings: [],
        containers: null,
      },
    }
  }
}
