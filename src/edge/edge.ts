import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type EdgeHello, hostKinds } from '../contract/edge.ts'
import { conflict } from '../contract/errors.ts'
import { understoodByEdges } from '../contract/tunnel-settings.ts'
import { reachableBy } from '../http/index.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { FolderHeld, lockFolder } from '../lib/folder-lock.ts'
import { LevelChange } from '../lib/level-change.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import {
  acceptLinks,
  acceptWebSockets,
  type DatagramEndpoint,
  type LinkIdentity,
  listenDatagrams,
  loadIdentity,
  terminateTls,
  tlsDialler,
} from '../link/index.ts'
import { AccessDesk } from './access/desk.ts'
import { Beam1Acceptor } from './beam1/accept.ts'
import { beam1Protocol } from './beam1/control.ts'
import { type Beam1Limits, beam1Limits } from './beam1/limits.ts'
import { Certificates } from './certificates.ts'
import { Challenges } from './challenges.ts'
import type { EdgeConfig } from './config.ts'
import { type ControlPlane, type EdgeOrders, Refusal } from './control-plane.ts'
import { Counters } from './counters.ts'
import { DomainCertificates } from './domain-certificates.ts'
import type { ClientHello } from './ingress/client-hello.ts'
import { HttpIngress } from './ingress/http.ts'
import { Http2Ingress } from './ingress/http2.ts'
import { MinecraftIngress } from './ingress/minecraft.ts'
import { Openings } from './ingress/openings.ts'
import { openPublicPort } from './ingress/public-port.ts'
import { TcpIngress } from './ingress/tcp.ts'
import { TlsIngress } from './ingress/tls.ts'
import { serveTlsChallenge } from './ingress/tls-challenge.ts'
import { TlsTermination } from './ingress/tls-termination.ts'
import { UdpIngress } from './ingress/udp.ts'
import { inspectionAnswers, Traffic } from './inspection/index.ts'
import { type EdgeLimits, edgeLimits } from './limits.ts'
import { addEdgeMetrics } from './metrics.ts'
import { openPanelControlPlane } from './panel-control-plane.ts'
import { hostUrl } from './public-url.ts'
import { Release } from './release.ts'
import { Reporter } from './reporter.ts'
import { normalHost, Routing } from './routing.ts'
import { Sessions } from './sessions.ts'
import { Shares } from './shares.ts'
import { openTokensFile } from './tokens-file.ts'
import type { Tunnel } from './tunnel.ts'
import { Visitors } from './visitors.ts'

export interface EdgeOverrides {
  log: Log
  clock?: Clock
  /** The key of its links; else the one in the data folder, made on first use. */
  identity?: LinkIdentity
  limits?: Partial<EdgeLimits>
  beam1Limits?: Partial<Beam1Limits>
  /** Instead of what the config names. */
  controlPlane?: (orders: EdgeOrders, hello: () => EdgeHello) => Promise<ControlPlane>
  reportEveryMs?: number
  /** Gets what this edge counts and measures. */
  metrics?: Metrics
}

export interface Edge extends AsyncDisposable {
  /** The one port of visitors' HTTP and TLS, and of agents' links. */
  readonly httpPort: number
  /** The one port of all Minecraft tunnels; null where it could not be had, or was not asked for. */
  readonly minecraftPort: number | null
  /** The public host. */
  readonly host: string
  /** What agents must be told to recognise this edge. */
  readonly pin: string
  /** Whether whoever decides about tunnels can be asked at this moment: without that nobody new is let in. */
  readonly ready: boolean
  /**
   * Tells panel and agents that this edge ends soon, and serves on, everybody who comes included: for the grace time, and then until no
   * visitor is here, or `finishMs` have passed. Resolves when that is over: at once while no agent is here.
   */
  drain(graceMs: number, finishMs: number): Promise<void>
}

/**
 * Starts an edge. Resolves once it listens; disposing reports what was counted and closes everything.
 * @throws AppError `conflict` when another edge that runs has the data folder
 */
export async function startEdge(config: EdgeConfig, overrides: EdgeOverrides): Promise<Edge> {
  const { log, clock = systemClock } = overrides
  const limits = { ...edgeLimits, ...overrides.limits }
  const { listenHost, host, base, ports, region, dataDir, certificate } = config
  const scheme = config.scheme ?? (certificate === undefined ? 'http' : 'https')
  // With certificates here nothing in front ends TLS: whoever comes to the plain port comes without it.
  const plainScheme = certificate === undefined ? scheme : 'http'
  await using closer = new AsyncDisposableStack()
  // Ends before the rest, so that the last report has the last byte.
  await using traffic = new AsyncDisposableStack()
  closer.use(await holdOwnFolder(dataDir))
  const identity = overrides.identity ?? (await loadIdentity(join(dataDir, 'identity')))

  const counters = closer.use(new Counters(join(dataDir, 'usage.counters'), { clock, log }))
  const contended = (): boolean => sessions.shared
  const release = new Release(() => counters.flush(), new Shares({ contended }))
  traffic.defer(() => release.flush())
  const routing = new Routing<Tunnel>()
  const seen = closer.use(new Traffic(clock))
  const visitors = new Visitors(limits)
  const challenges = new Challenges(clock)
  const domainCertificates = new DomainCertificates(log)
  const isReachable = reachableBy(config.signInNetworks)
  const desk = new AccessDesk({
    now: () => clock.now(),
    log,
    isReachable,
    reportUrl: (host) => controlPlane?.reportUrl?.(host) ?? null,
  })
  const openings = traffic.use(new Openings(limits))
  const tcp = traffic.use(new TcpIngress({ listenHost, routing, visitors, release, limits, log }))
  const udp = traffic.use(new UdpIngress({ listenHost, routing, release, contended, limits, log }))
  const http = traffic.use(
    new HttpIngress({
      routing,
      visitors,
      release,
      limits,
      scheme: plainScheme,
      base,
      challenges,
      links: { hosts: new Set([normalHost(host), base]), take: (socket) => webSockets.take(socket) },
    }),
  )
  const http2 = traffic.use(new Http2Ingress({ routing, visitors, release, limits, scheme: plainScheme, base }))
  const tls = traffic.use(new TlsIngress({ routing, visitors, release, limits }))
  const certificates =
    certificate === undefined
      ? null
      : traffic.use(await Certificates.open({ certificate, key: config.certificateKey, log }))
  const termination = traffic.use(
    new TlsTermination({
      visitors,
      limits,
      onHttp1: (socket, shown) => http.serve(socket, shown),
      onHttp2: (socket, shown) => http2.serve(socket, shown),
    }),
  )
  const onTls = (socket: Socket, hello: ClientHello): void => {
    const host = hello.serverName === null ? null : normalHost(hello.serverName)
    const challenge = host === null ? null : challenges.tlsContext(host, hello.protocols)
    if (challenge) {
      serveTlsChallenge(socket, challenge, limits.headTimeoutMs)
      return
    }
    // A name whose TLS is passed through is never looked into, also while its agent is away.
    const passes = host !== null && (routing.host('tls', host) !== undefined || routing.wasServed('tls', host))
    const domain = host === null || passes ? undefined : domainCertificates.of(routing.host('http', host), host)
    const own = passes ? undefined : (domain ?? certificates?.of(host))
    if (!passes && hello.protocols.includes(beam1Protocol)) beam1.serve(socket, own?.context ?? null)
    else if (own) termination.serve(socket, own)
    else tls.serve(socket, hello)
  }
  const minecraft = traffic.use(new MinecraftIngress({ listenHost, routing, visitors, openings, release, limits, log }))
  const minecraftPort = config.minecraftPort === null ? null : await minecraft.listen(config.minecraftPort)

  let controlPlane: ControlPlane | undefined
  const sessions = new Sessions({
    controlPlane: () => {
      if (!controlPlane) throw new Refusal('unavailable', 'The edge is starting.')
      return controlPlane
    },
    routing,
    ingresses: { ports: { tcp, udp }, hosts: new Set(minecraftPort === null ? ['http', 'tls'] : hostKinds) },
    counters,
    shares: new Shares({ contended }),
    traffic: seen,
    desk,
    release,
    limits,
    clock,
    log,
    host,
  })
  let datagrams: DatagramEndpoint | null = null
  const acceptor = traffic.use(
    acceptLinks({ greet: (hello, from) => sessions.greet(hello, from), datagrams: () => datagrams, log }),
  )
  const webSockets = traffic.use(acceptWebSockets(identity, acceptor))
  const beam1 = traffic.use(
    new Beam1Acceptor({
      greet: (agent, from) => sessions.greet(agent, from),
      freed: sessions.freed,
      identity,
      base,
      limits: { ...beam1Limits, ...overrides.beam1Limits },
      log,
    }),
  )
  const listening = traffic.use(
    await openPublicPort({
      host: listenHost,
      port: config.httpPort,
      openings,
      limits,
      log,
      onLink: (socket) => terminateTls(socket, identity, acceptor),
      onTls,
      onHttp2: (socket) => http2.serve(socket, null),
      onPlain: (socket) => http.serve(socket, null),
    }),
  )
  const httpPort = listening.port
  datagrams = await openLinkDatagrams(config, httpPort, log)
  if (datagrams) traffic.use(datagrams)

  const hello = (credential: string): EdgeHello => ({
    role: 'edge',
    version: 1,
    credential,
    software: 'pharos',
    host,
    base,
    scheme,
    httpPort,
    linkPort: httpPort,
    pin: identity.pin,
    ports,
    udp: true,
    minecraftPort,
    region,
    understands: [...understoodByEdges],
  })
  const credential = config.credential
  if (overrides.controlPlane)
    controlPlane = await overrides.controlPlane(sessions, () => hello(credential?.reveal() ?? '-'))
  else if (config.tokensFile !== undefined)
    controlPlane = await openTokensFile({
      path: config.tokensFile,
      dataDir,
      ports,
      host,
      base,
      hostUrl: (kind, name) => hostUrl(kind, name, { scheme, httpPort, minecraftPort }),
      orders: sessions,
      log,
    })
  else if (credential)
    controlPlane = await openPanelControlPlane({
      panels: config.panels,
      panelsFile: join(dataDir, 'panels.json'),
      dial: tlsDialler,
      hello: () => hello(credential.reveal()),
      orders: sessions,
      challenges,
      inspection: inspectionAnswers({ traffic: seen, tunnel: (id) => sessions.tunnel(id), release, limits }),
      logLevel: closer.use(new LevelChange(log)),
      log,
    })
  else throw new Error('an edge needs either panels with a credential, or a tokensFile')
  closer.use(controlPlane)

  const reporter = closer.use(
    new Reporter({
      counters,
      controlPlane,
      open: () => sessions.open(),
      notePeaks: () => sessions.notePeaks(),
      clock,
      log,
      ...(overrides.reportEveryMs === undefined ? {} : { reportEveryMs: overrides.reportEveryMs }),
    }),
  )
  closer.defer(sessions.changed.on(() => reporter.openChanged()))
  log.info({ httpPort, minecraftPort, base, host, ports }, 'the edge is up')
  const control = controlPlane
  const isReady = (): boolean => control.isUp?.() ?? true
  if (overrides.metrics) addEdgeMetrics(overrides.metrics, { counters, openings, sessions, udp, visitors, isReady })
  const [first, last] = [traffic.move(), closer.move()]
  return {
    httpPort,
    minecraftPort,
    host,
    pin: identity.pin,
    get ready() {
      return isReady()
    },
    async drain(graceMs, finishMs) {
      if (sessions.count === 0) return
      sessions.drain()
      try {
        await control.drain()
      } catch (error) {
        log.warn({ err: error }, 'no panel could be told that this edge is draining')
      }
      log.info({ graceMs, finishMs }, 'draining')
      await clock.sleep(graceMs)
      for (let leftMs = finishMs; leftMs > 0 && sessions.visitors > 0; leftMs -= drainLookMs)
        await clock.sleep(drainLookMs)
      log.info({ visitors: sessions.visitors }, 'drained')
    },
    async [Symbol.asyncDispose]() {
      await first.disposeAsync()
      await last.disposeAsync()
    },
  }
}

/** How often a draining edge looks whether everybody has gone, ms. */
const drainLookMs = 100

/** Two edges on one folder would write over each other's counters: what visitors used would be lost. */
async function holdOwnFolder(dataDir: string): Promise<AsyncDisposable> {
  try {
    return await lockFolder(dataDir, 'edge')
  } catch (error) {
    if (!(error instanceof FolderHeld)) throw error
    throw conflict(
      `The edge's folder ${dataDir} is in use by ${error.pid === null ? 'another edge that starts' : `process ${error.pid}`}. Each edge needs a folder of its own: stop that one first, or choose another folder.`,
    )
  }
}

/** Where links' datagrams go beside them. Without it they go in the links, so an edge that cannot have the port serves all the same. */
async function openLinkDatagrams(
  { linkUdpPort, listenHost }: EdgeConfig,
  linkPort: number,
  log: Log,
): Promise<DatagramEndpoint | null> {
  if (linkUdpPort === 'none') return null
  const port = linkUdpPort === 'same' ? linkPort : linkUdpPort
  try {
    return await listenDatagrams({ host: listenHost, port, log })
  } catch (error) {
    log.warn({ err: error, port }, 'the UDP port of the links cannot be had: their datagrams go over TCP')
    return null
  }
}
