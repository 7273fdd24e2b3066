import { notFound } from '../contract/errors.ts'
import type { PanelEndpoint } from '../contract/join-token.ts'
import {
  type EdgeEndpoint,
  type NodeEvent,
  type NodeFacts,
  nodeOperations,
  nodeSockets,
  type ServerState,
} from '../contract/node.ts'
import type { BackupReport } from '../contract/node-backups.ts'
import { stateFor } from '../contract/node-protocol.ts'
import type { Contexts, SocketChannel } from '../contract/operation.ts'
import { type Api, createApi, type Gate, part, socketPart } from '../http/index.ts'
import type { LevelChange } from '../lib/level-change.ts'
import type { Log } from '../lib/log.ts'
import { arrivingBackupPart, type Backups, backupContentPart, backupPart } from './backups/index.ts'
import { type Databases, databasePart } from './databases/index.ts'
import { type NodeFiles, nodeFileParts } from './files/index.ts'
import { type Sftp, sftpParts } from './sftp/index.ts'
import { freePorts } from './supervisor/ports.ts'
import type { Servers } from './supervisor/servers.ts'
import { type Arrivals, type Departures, type MovingDatabases, transferParts } from './transfers/index.ts'

export interface NodeApiOptions {
  /** The version that its panels speak. */
  protocol: number
  servers: Servers
  backups: Backups
  databases: Databases
  files: NodeFiles
  departures: Departures
  arrivals: Arrivals
  moving: MovingDatabases
  /** Null where it is not served. */
  sftp: Sftp | null
  facts(): Promise<NodeFacts>
  putEdges(edges: EdgeEndpoint[]): Promise<void>
  putPanels(panels: PanelEndpoint[]): Promise<void>
  logLevel: Pick<LevelChange, 'set'>
  log: Log
}

/** A template travels in each spec, with its npm lock file: this is room for the largest, in bytes. */
const bodyBytesMax = 16 * 1024 * 1024

/** A panel that lets so much wait is dropped; it comes back and begins with the state of everything, in bytes. */
const waitingBytesMax = 8 * 1024 * 1024

/** Only panels reach this API: it is served over the links that the node itself has dialled, to a key that it knows. */
const gate: Gate<Contexts> = { admit: () => ({}) }

/** The API that a node serves to its panels. */
export function createNodeApi({
  protocol,
  servers,
  backups,
  databases,
  files,
  departures,
  arrivals,
  moving,
  sftp,
  facts,
  putEdges,
  putPanels,
  logLevel,
  log,
}: NodeApiOptions): Promise<Api> {
  const told = (state: ServerState): ServerState => stateFor(protocol, state)
  const operations = part<typeof nodeOperations, Contexts>(nodeOperations, {
    facts: () => facts(),
    servers: () => servers.list().map(told),
    async putServer({ params, body }) {
      if (params.server !== body.id) throw notFound(`Server ${params.server}, which the spec calls ${body.id},`)
      return told(await servers.put(body))
    },
    server: ({ params }) => told(servers.get(params.server).state()),
    power: async ({ params, body }) => told(await servers.get(params.server).power(body.action)),
    reinstall: async ({ params }) => told(await servers.get(params.server).power('reinstall')),
    console: ({ params, query }) => servers.get(params.server).console.lines(query.size),
    async command({ params, body }) {
      await servers.get(params.server).command(body.command)
      return {}
    },
    async removeServer({ params }) {
      await servers.remove(params.server)
      return {}
    },
    incidents: ({ query }) => servers.incidentsAfter(query.after),
    async freePorts({ body }) {
      return { free: await freePorts(body.ports, body.protocols) }
    },
    async putEdges({ body }) {
      await putEdges(body)
      return {}
    },
    async putPanels({ body }) {
      await putPanels(body)
      return {}
    },
    putLogLevel({ body: { level, forMs } }) {
      logLevel.set(level, forMs)
      return {}
    },
  })
  const sockets = socketPart<typeof nodeSockets, Contexts>(nodeSockets, {
    events({ channel }) {
      const send = boundedSender<NodeEvent>(channel)
      const sendEvent = (event: NodeEvent): void =>
        send(event.type === 'state' ? { ...event, state: told(event.state) } : event)
      for (const state of servers.list()) sendEvent({ type: 'state', state })
      const sendBackup = (report: BackupReport): void => send({ type: 'backup', report })
      for (const report of backups.running()) sendBackup(report)
      for (const [id, players] of servers.players()) send({ type: 'players', id, players })
      const stops = [servers.events.on(sendEvent), backups.events.on(sendBackup)]
      channel.signal.addEventListener('abort', () => {
        for (const stop of stops) stop()
      })
    },
    async consoleLines({ params, query, channel }) {
      const stop = await servers.get(params.server).console.subscribe(query.backlog, boundedSender(channel))
      if (channel.signal.aborted) return stop()
      channel.signal.addEventListener('abort', stop)
    },
  })
  return createApi({
    prefix: '',
    parts: [
      operations,
      sockets,
      backupPart(backups),
      backupContentPart(backups),
      arrivingBackupPart(backups),
      databasePart(databases),
      ...nodeFileParts(files),
      ...transferParts({ departures, arrivals, moving }),
      ...sftpParts(sftp),
    ],
    gate,
    log,
    cors: false,
    bodyBytesMax,
  })
}

function boundedSender<T>(channel: SocketChannel<T, never>): (message: T) => void {
  return (message) => {
    if (channel.signal.aborted) return
    if (channel.bufferedBytes > waitingBytesMax) channel.close('the reader is too slow', 'overloaded')
    else channel.send(message)
  }
}
