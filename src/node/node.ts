import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeCapabilities } from '../contract/node.ts'
import { factsOfVersion1, nodeProtocols } from '../contract/node-protocol.ts'
import type { Api } from '../http/index.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { LevelChange } from '../lib/level-change.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { Queue } from '../lib/queue.ts'
import { type Dialler, PanelLinks, tlsDialler } from '../link/index.ts'
import { createNodeApi, type NodeApiOptions } from './api.ts'
import { Backups, createResticPrograms } from './backups/index.ts'
import { NodeConfig, type NodeConfigInput } from './config.ts'
import { type DatabasesOptions, openDatabases } from './databases/index.ts'
import { openEdges } from './edges.ts'
import { readFacts } from './facts.ts'
import { openNodeFiles } from './files/index.ts'
import { createDebianPackages } from './install/debian.ts'
import { openSharedPackages } from './install/packages.ts'
import { addNodeMetrics } from './metrics.ts'
import { keepPanelLink } from './panel-link.ts'
import { openQuotas } from './quota/index.ts'
import { openRuntime } from './runtime/detect.ts'
import { findNodeTools } from './runtime/node-tools.ts'
import { openSftp } from './sftp/index.ts'
import { openServers } from './supervisor/servers.ts'
import { Arrivals, Departures, MovingDatabases } from './transfers/index.ts'

export interface NodeOverrides {
  log: Log
  /** Gets what this node counts and measures. */
  metrics?: Metrics
  clock?: Clock
  /** How a panel is dialled: TLS with its pin unless given. */
  dial?: (panel: NodeConfig['panels'][number]) => Dialler
  /** Which addresses files may be fetched from: public ones unless given. */
  isReachable?: (address: string) => boolean
  /** The ports that the MariaDB of this machine's games may have, and how long it is waited for: the usual ones unless given. */
  databases?: Pick<DatabasesOptions, 'ports' | 'startWaitMs'>
}

export interface Node extends AsyncDisposable {
  /** Whether it is linked to a panel at this moment. */
  readonly linked: boolean
  readonly capabilities: NodeCapabilities
  /** Where SFTP is served; null where it is not. */
  readonly sftp: { port: number; fingerprint: string } | null
}

/**
 * Starts a node: finds its servers again, then dials its panels and serves them its API over those links. Resolves once the
 * servers have been found; links come and go. Disposing leaves the servers running.
 */
export async function startNode(input: NodeConfigInput, overrides: NodeOverrides): Promise<Node> {
  const { dataDir, panels, credential, runtime: prefer, version, edgeTransport, ...config } = NodeConfig.parse(input)
  const { log, clock = systemClock, dial = tlsDialler, isReachable } = overrides
  await using closer = new AsyncDisposableStack()
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await chmod(dataDir, 0o700)

  const tools = await findNodeTools()
  const quotas = await openQuotas({ dataDir, log })
  const debian = createDebianPackages()
  const runtime = closer.use(
    await openRuntime({ dataDir, tools, debian, quotas, log, prefer, ...containersOf(config) }),
  )
  const packages = closer.use(await openSharedPackages(join(dataDir, 'packages'), tools))
  const servers = closer.use(await openServers({ dataDir, runtime, packages, quotas, debian, clock, log }))
  const databases = closer.use(await openDatabases({ dataDir, runtime, debian, log, ...overrides.databases }))
  const restic = closer.use(createResticPrograms({ debian, log }))
  const backups = closer.use(await Backups.open({ dataDir, servers, runtime, clock, log, programs: restic }))
  const files = closer.use(
    openNodeFiles({ dataDir, runtime, servers, quotas, clock, log, ...(isReachable ? { isReachable } : {}) }),
  )
  const turns = new Queue()
  const moving = new MovingDatabases({ servers, databases, turns, log })
  const arrivals = closer.use(
    await Arrivals.open({ dataDir, servers, runtime, packages, debian, databases: moving, turns, clock, log }),
  )
  const departures = new Departures({ servers, log })
  const sftp = config.sftp && closer.use(await openSftp({ dataDir, config: config.sftp, servers, files, log }))
  const coming = (id: string): Promise<void> | null => servers.comingUp(id)
  const edges = closer.use(await openEdges({ dataDir, credential, transport: edgeTransport, coming, log }))
  closer.defer(servers.specsChanged.on(() => edges.serve(servers.specs())))
  edges.serve(servers.specs())
  const parts: Omit<NodeApiOptions, 'protocol'> = {
    servers,
    backups,
    databases,
    files,
    departures,
    arrivals,
    moving,
    sftp,
    async facts() {
      await runtime.refresh()
      return readFacts(dataDir, version, { ...runtime.capabilities, restic: await restic.version() })
    },
    putEdges: (list) => edges.put(list),
    putPanels: (list) => links.put(list),
    logLevel: closer.use(new LevelChange(log)),
    log,
  }
  /** By the version of the protocol that a panel speaks. */
  const apis = new Map<number, Api>()
  for (let protocol = nodeProtocols.oldest as number; protocol <= nodeProtocols.newest; protocol++) {
    const facts = async () => (protocol === 1 ? factsOfVersion1(await parts.facts()) : parts.facts())
    apis.set(protocol, closer.use(await createNodeApi({ ...parts, protocol, facts })))
  }
  const links = closer.use(
    await PanelLinks.open({
      configured: panels,
      file: join(dataDir, 'panels.json'),
      keep: (panel) =>
        keepPanelLink({
          ...{ dialler: dial(panel), credential, log },
          serve: (stream, protocol) => apis.get(protocol)?.serve(stream),
        }),
      log,
    }),
  )
  if (overrides.metrics) addNodeMetrics(overrides.metrics, servers, () => links.all())
  const opened = closer.move()
  return {
    get linked() {
      return links.all().some(({ current }) => current !== null)
    },
    capabilities: runtime.capabilities,
    sftp: sftp && { port: sftp.port, fingerprint: sftp.fingerprint },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const containersOf = ({ docker, containerNetwork: network }: Pick<NodeConfig, 'docker' | 'containerNetwork'>) =>
  docker === 'off' ? {} : { containers: { socket: docker === 'auto' ? null : docker, network } }
