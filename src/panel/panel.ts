import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { abuseOperations } from '../contract/api/abuse.ts'
import { accountSecurityOperations } from '../contract/api/account-security.ts'
import type { Account } from '../contract/api/accounts.ts'
import { accountOperations } from '../contract/api/accounts.ts'
import { activityOperations } from '../contract/api/activity.ts'
import { backupOperations, backupTransfers } from '../contract/api/backups.ts'
import { databaseHostOperations, databaseOperations } from '../contract/api/databases.ts'
import { deviceOperations } from '../contract/api/devices.ts'
import { documentOperations } from '../contract/api/document.ts'
import { domainOperations } from '../contract/api/domains.ts'
import { fileOperations, fileTransfers } from '../contract/api/files.ts'
import { foreignEdgeOperations } from '../contract/api/foreign-edges.ts'
import { identityProviderOperations } from '../contract/api/identity-providers.ts'
import { apiPrefix, publicOperations, publicTransfers } from '../contract/api/index.ts'
import { inspectionOperations } from '../contract/api/inspection.ts'
import { instanceOperations } from '../contract/api/instance.ts'
import { logLevelOperations } from '../contract/api/log-levels.ts'
import { networkOperations } from '../contract/api/network.ts'
import { nodeAdminOperations } from '../contract/api/nodes.ts'
import { planOperations } from '../contract/api/plans.ts'
import { scheduleOperations } from '../contract/api/schedules.ts'
import { serverSockets } from '../contract/api/servers.ts'
import { resourceOperations, settingsOperations } from '../contract/api/settings.ts'
import { sftpOperations } from '../contract/api/sftp.ts'
import { sshKeyOperations } from '../contract/api/ssh-keys.ts'
import { startupOperations } from '../contract/api/startup.ts'
import { statsOperations } from '../contract/api/stats.ts'
import { subuserOperations } from '../contract/api/subusers.ts'
import { templateOperations, templateSourceOperations } from '../contract/api/templates.ts'
import { tokenOperations } from '../contract/api/tokens.ts'
import { drainOperations, transferOperations } from '../contract/api/transfers.ts'
import { tunnelAccessOperations } from '../contract/api/tunnel-access.ts'
import { tunnelOperations } from '../contract/api/tunnels.ts'
import { usageOperations } from '../contract/api/usage.ts'
import { userOperations } from '../contract/api/users.ts'
import { watchingOperations } from '../contract/api/watching.ts'
import { webhookOperations } from '../contract/api/webhooks.ts'
import { type Workspace, workspaceOperations } from '../contract/api/workspaces.ts'
import { EdgeHello } from '../contract/edge.ts'
import { discoveryOperations, edgeContractOperations, edgeContractTransfers } from '../contract/edge-contract.ts'
import { lenient } from '../contract/lenient.ts'
import { JoinHello, NodeHello } from '../contract/node.ts'
import type { Handlers, Operations } from '../contract/operation.ts'
import { type ApiPart, createApi, part, reachableBy, socketPart, transferPart } from '../http/index.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { LevelChange } from '../lib/level-change.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { openSealer } from '../lib/seal.ts'
import type { Secret } from '../lib/secret.ts'
import { acceptLinks, type Greeted, LinkError, listenShared, loadIdentity } from '../link/index.ts'
import { Providers } from '../openid/index.ts'
import { Abuse, abuseRoutes } from './abuse/index.ts'
import { createAccess, openTickets, type PanelContexts } from './access/index.ts'
import {
  accountRoutes,
  accountSecurityRoutes,
  createAccounts,
  type SetupInput,
  sshKeyRoutes,
  touchSessions,
  userRoutes,
} from './accounts/index.ts'
import { Activity, activityHandlers, recordDenials, recorded } from './activity/index.ts'
import { Alerts } from './alerts/index.ts'
import {
  Backups,
  backupHandlers,
  backupTransferHandlers,
  Downloads,
  Following,
  Passwords,
  Places,
  Repositories,
  setBackupLimit,
} from './backups/index.ts'
import type { PanelConfig, PanelSecrets } from './config.ts'
import { ConsoleFeeds, Consoles, consoleHandlers, consoleOperations } from './console/index.ts'
import {
  countDatabases,
  DatabaseHosts,
  Databases,
  databaseHandlers,
  databaseHostHandlers,
  MovableDatabases,
  setDatabaseLimit,
} from './databases/index.ts'
import { type DatabaseConfig, openChanges, openDatabase } from './db/index.ts'
import { createDevices, deviceRoutes, discoveryRoutes } from './devices/index.ts'
import { documentRoutes } from './document/index.ts'
import { type AcmeSettings, Domains, domainHandlers, grantedDomains } from './domains/index.ts'
import { createEdges, type Edges, openEdgeDirectory, tunnelRoutes } from './edges/index.ts'
import { eventHandlers, Viewers } from './events/index.ts'
import { fileHandlers, fileTransferHandlers } from './files/index.ts'
import {
  createForeignBook,
  createForeignEdges,
  type ForeignEdgeContexts,
  foreignAnswers,
  foreignEdgeGate,
  foreignEdgeRoutes,
  foreignReports,
} from './foreign-edges/index.ts'
import { healthRoutes, panelReadiness } from './health.ts'
import {
  anyIdentity,
  hasIdentity,
  IdentityProviders,
  identityProviderRoutes,
  ProviderSignIns,
} from './identity-providers/index.ts'
import { captureParts, Inspection, inspectionRoutes } from './inspection/index.ts'
import { LogLevels, logLevelHandlers } from './log-levels/index.ts'
import { createPost } from './mail/index.ts'
import { Mcp } from './mcp/index.ts'
import { addPanelMetrics, countRequests } from './metrics.ts'
import { Allocations, networkHandlers } from './network/index.ts'
import { Nodes, nodeHandlers } from './nodes/index.ts'
import { pages, readWebFiles } from './pages/index.ts'
import { Panels } from './panels/index.ts'
import { createPlans, tunnelPlanRoutes } from './plans/index.ts'
import { openRates } from './rates/index.ts'
import { countSchedules, Schedules, scheduleHandlers, setScheduleLimit } from './schedules/index.ts'
import { ownServerOperations, Servers, serverHandlers } from './servers/index.ts'
import { type CountedThings, resourceHandlers, settingsHandlers } from './settings/index.ts'
import { Sftp, sftpHandlers } from './sftp/index.ts'
import { startupHandlers } from './startup/index.ts'
import { Stats, statsHandlers } from './stats/index.ts'
import { Subusers, subuserHandlers } from './subusers/index.ts'
import {
  loadTemplates,
  TemplateSources,
  Templates,
  templateHandlers,
  templateSourceHandlers,
} from './templates/index.ts'
import { createTokens, tokenRoutes, touchTokens } from './tokens/index.ts'
import { drainHandlers, Transfers, transferHandlers } from './transfers/index.ts'
import { accessParts, TunnelAccess, tunnelAccessRoutes } from './tunnel-access/index.ts'
import { createTunnels, edgesFor } from './tunnels/index.ts'
import { createUsage, usageRoutes } from './usage/index.ts'
import { Watching, watchingHandlers } from './watching/index.ts'
import { Webhooks, webhookHandlers } from './webhooks/index.ts'
import { createWorkspaces, planRoutes, workspaceRoutes } from './workspaces/index.ts'

/** A running panel. Disposing it lets running requests finish and closes what it opened. */
export interface Panel extends AsyncDisposable {
  /** Where people reach it: `http://127.0.0.1:4600`. */
  readonly url: string
  readonly port: number
  /** By which nodes and edges recognise it. */
  readonly pin: string
  /** Where a browser makes the owner account; null once that is done. */
  setupLink(): Promise<string | null>
  /** The same without a browser, with a first API key. Throws `conflict` once it is done. */
  setup(input: SetupInput): Promise<{
    account: z.output<typeof Account>
    workspace: z.output<typeof Workspace>
    token: Secret
  }>
  /** A node and an edge in this very process: made on first use, then found again; their credential is new each time. */
  registerLocalNode: Nodes['localNode']
  registerLocalEdge: Edges['local']
  /** Whether the node or edge of this id is linked to this panel at this moment. */
  isLinked(id: string): boolean
  /** Null where it serves as it should, else what does not. */
  readiness(): Promise<string | null>
}

/** The world outside, for tests. */
export interface PanelOverrides {
  clock?: Clock
}

/** Starts a panel: everything it is made of is put together here. A start that fails has closed what it opened. */
export async function startPanel(
  config: PanelConfig,
  secrets: PanelSecrets,
  { log, overrides = {}, metrics }: { log: Log; overrides?: PanelOverrides; metrics?: Metrics },
): Promise<Panel> {
  await using closer = new AsyncDisposableStack()
  const clock = overrides.clock ?? systemClock
  const identity = await loadIdentity(join(config.dataDir, 'link'))
  const sealer = await openSealer(join(config.dataDir, 'secrets.key'))
  const databaseConfig = toDatabaseConfig(config, secrets)
  const declared = { ...publicOperations, ...publicTransfers }
  const requests = metrics && countRequests(metrics, declared)
  const database = closer.use(await openDatabase(databaseConfig, log, requests?.queried))
  const readiness = panelReadiness(database)
  const changes = closer.use(await openChanges(database, databaseConfig, log))

  let port = config.port
  const publicUrl = (): string => config.publicUrl ?? `http://${inUrl(reachableHost(config.host))}:${port}`
  const endpoint = () => ({
    host: config.linkAddress?.host ?? linkHost(config),
    port: config.linkAddress?.port ?? port,
    pin: identity.pin,
  })

  const panels = closer.use(await Panels.open({ db: database, clock, log, sealer, endpoint }))
  const rates = closer.use(await openRates({ database, clock, log, valkeyUrl: secrets.valkeyUrl }))
  const tickets = await openTickets({ database, clock })
  // Access comes first to hear of changes: whoever hears of one later and asks it gets the new answer.
  const access = closer.use(
    createAccess({
      database,
      changes,
      clock,
      log,
      tickets,
      rates,
      publicOrigin: config.publicUrl ?? null,
      touchTokens: (uses) => touchTokens(database, uses),
      touchSessions: (uses) => touchSessions(database, uses),
    }),
  )
  const activity = closer.use(new Activity({ db: database, clock, log }))
  closer.defer(recordDenials(activity, declared, access.denied))
  const tokens = closer.use(createTokens({ database, changes, clock, log }))
  const usage = createUsage({ database, clock })
  const directory = closer.use(await openEdgeDirectory({ database, changes, log }))
  const plans = createPlans({ database, clock, warningKey: (id) => sealer.derive(`warning of ${id}`) })
  const tunnels = createTunnels({
    database,
    changes,
    clock,
    access,
    plans,
    domains: (store, tunnelId) => grantedDomains(store, sealer, tunnelId),
    settings: { ...accessParts(sealer), ...captureParts },
    reaches: (tunnelId) => directory.reaches(tunnelId),
  })
  const edges = closer.use(
    createEdges({
      ...{ database, directory, changes, clock, access, tunnels, plans, usage, log },
      publicUrl,
      panels: () => panels.all(),
    }),
  )
  const foreignEdges = createForeignEdges({ database, clock })
  const devices = createDevices({
    ...{ database, clock, rates, tokens, activity },
    async edgeFor(workspaceId) {
      const reach = directory.reach()
      return (await foreignEdges.addressFor(workspaceId)) ?? (reach ? `${inUrl(reach.host)}:${reach.linkPort}` : '')
    },
  })
  const inspection = new Inspection({ database, changes, clock, log, edges: () => edges.inspected() })
  const post = closer.use(createPost({ config: config.mail ?? null, password: secrets.mailPassword, rates, log }))
  const workspaces = createWorkspaces({ database, changes, clock, edges: directory, publicUrl, post })
  const subusers = new Subusers({ db: database, changes, clock, publicUrl, post })
  const accounts = await createAccounts({
    database,
    changes,
    clock,
    rates,
    log,
    sealer,
    workspaces,
    activity,
    joinServer: (trx, invitation, userId) => subusers.join(trx, invitation, userId),
    identities: { any: anyIdentity, has: hasIdentity },
    secureCookies: config.publicUrl?.startsWith('https:') ?? false,
    setupSecretFile: join(config.dataDir, 'setup-secret'),
  })
  const providers = new Providers({ isReachable: reachableBy(config.signInNetworks), now: () => clock.now() })
  const identityProviders = new IdentityProviders({ database, clock, sealer, providers, publicUrl })
  const providerSignIns = new ProviderSignIns({
    ...{ database, clock, log, accounts, identityProviders, providers, publicUrl },
    secure: config.publicUrl?.startsWith('https:') ?? false,
  })
  const shipped = await loadTemplates(config.templatesDir)
  const templates = new Templates({ shipped, db: database, clock })
  const templateSources = closer.use(new TemplateSources({ templates, db: database, clock, log }))
  const nodes = closer.use(
    new Nodes({
      db: database,
      changes,
      clock,
      log,
      ports: config.nodePorts,
      endpoint,
      panels: () => panels.all(),
      async edges(labels) {
        await directory.refresh()
        return edgesFor(labels, directory.listed(), ({ facts }) => facts.region).map(({ id, facts }) => ({
          id,
          host: facts.host,
          port: facts.linkPort,
          pin: facts.pin,
        }))
      },
    }),
  )
  closer.defer(
    panels.changed.on(() => {
      nodes.tellPanels()
      edges.tellPanels()
    }),
  )
  const own = closer.use(new LevelChange(log))
  const logLevels = closer.use(new LogLevels({ db: database, changes, clock, log, own, nodes, edges }))
  const servers = closer.use(new Servers({ db: database, changes, clock, log, access, nodes, templates, tunnels }))
  const domains = closer.use(
    new Domains({
      ...{ db: database, changes, clock, log, sealer, activity, post, tunnels },
      reaches: (tunnelId) => directory.reaches(tunnelId),
      isOpen: (tunnelId) => edges.openTunnel(tunnelId) !== null,
      ownHost: config.publicUrl === undefined ? null : new URL(config.publicUrl).hostname,
      answers: { offer: (answer) => edges.offerAnswer(answer), withdraw: (token) => edges.withdrawAnswer(token) },
      dnsServers: config.dnsServers,
      acme: acmeSettings(config, secrets),
    }),
  )
  const allocations = new Allocations({ db: database, changes, clock, nodes, tunnels, servers })
  const consoles = new Consoles({ db: database, nodes, servers })
  const databases = closer.use(await Databases.open({ db: database, changes, clock, log, nodes, sealer }))
  const sftp = closer.use(new Sftp({ db: database, changes, clock, log, access, accounts, nodes, activity }))
  const stats = closer.use(new Stats({ db: database, clock, log, servers }))
  const watching = closer.use(new Watching({ db: database, clock, log, nodes, activity }))
  const places = new Places(config.backups.store, secrets.backupKeys ?? null)
  const repositories = new Repositories({
    ...{ nodes, places, passwords: new Passwords({ db: database, clock, sealer }) },
  })
  const backups = closer.use(
    new Backups({
      ...{ db: database, changes, clock, log, nodes, servers, places, repositories },
      ...{ limit: config.backups.limit, engine: config.backups.engine },
    }),
  )
  closer.use(new Following({ db: database, changes, log, nodes, repositories }))
  const transfers = closer.use(
    await Transfers.open({
      ...{ db: database, changes, clock, log, nodes, servers, tunnels },
      databases: new MovableDatabases({ db: database, clock, sealer }),
      obstacles: [(server) => backups.obstacle(server)],
    }),
  )
  const schedules = closer.use(
    new Schedules({ db: database, clock, log, access, servers, consoles, backups, activity }),
  )
  const webhooks = closer.use(
    new Webhooks({
      ...{ db: database, clock, log, sealer, activity, post, mails: config.mail !== undefined },
      outbound: { isReachable: reachableBy(config.webhookNetworks) },
    }),
  )
  closer.use(
    new Alerts({
      ...{ db: database, clock, log, nodes, states: servers.world.states, watching, webhooks, plans },
      openTunnels: () => new Set(directory.connected().flatMap(({ open }) => [...open.keys()])),
    }),
  )
  const counted: CountedThings = {
    allocations,
    backups: {
      count: (server) => backups.settings(server),
      setLimit: (trx, { id }, most) => setBackupLimit(trx, id, most),
    },
    databases: {
      count: ({ id }) => countDatabases(database.kysely, id),
      setLimit: (trx, { id }, most) => setDatabaseLimit(trx, id, most),
    },
    schedules: {
      count: ({ id }) => countSchedules(database.kysely, id),
      setLimit: (trx, { id }, most) => setScheduleLimit(trx, id, most),
    },
  }
  const downloads = new Downloads({ backups, nodes, places, repositories, access, tickets, changes, publicUrl })
  const feeds = closer.use(new ConsoleFeeds({ nodes, clock, log }))
  const viewers = closer.use(new Viewers({ db: database, changes, access, servers, consoles, feeds, activity, log }))

  const files = { db: database, nodes, tickets, clock, publicUrl }
  const parts: ApiPart[] = [
    panelPart(workspaceOperations, workspaceRoutes({ workspaces, database, changes, tokens, clock })),
    panelPart(instanceOperations, planRoutes({ database, changes, clock })),
    panelPart(planOperations, tunnelPlanRoutes(plans)),
    panelPart(tokenOperations, tokenRoutes(tokens, database, access)),
    panelPart(usageOperations, usageRoutes(usage)),
    panelPart(accountOperations, accountRoutes(accounts, access)),
    panelPart(userOperations, userRoutes(accounts, database)),
    panelPart(accountSecurityOperations, accountSecurityRoutes(accounts, config.publicUrl ?? null)),
    panelPart(identityProviderOperations, identityProviderRoutes(identityProviders, providerSignIns, accounts)),
    panelPart(deviceOperations, deviceRoutes(devices, publicUrl)),
    panelPart(foreignEdgeOperations, foreignEdgeRoutes(foreignEdges, publicUrl)),
    panelPart(sshKeyOperations, sshKeyRoutes(accounts)),
    panelPart(
      tunnelOperations,
      tunnelRoutes({ tunnels, edges, directory, endpoint, domainUrls: (id) => domains.urls(id) }),
    ),
    panelPart(domainOperations, domainHandlers(domains)),
    panelPart(inspectionOperations, inspectionRoutes({ inspection, tunnels, access })),
    panelPart(
      abuseOperations,
      abuseRoutes(new Abuse({ database, clock, log, rates, post, publicUrl, reaches: () => directory.reaches() })),
    ),
    panelPart(
      tunnelAccessOperations,
      tunnelAccessRoutes(new TunnelAccess({ database, changes, clock, sealer, tunnels })),
    ),
    panelPart(documentOperations, documentRoutes()),
    panelPart(nodeAdminOperations, nodeHandlers({ db: database, nodes, clock })),
    panelPart(logLevelOperations, logLevelHandlers(logLevels)),
    panelPart(drainOperations, drainHandlers({ db: database, servers, transfers })),
    panelPart(transferOperations, transferHandlers({ db: database, servers, transfers })),
    panelPart(templateOperations, templateHandlers(templates)),
    panelPart(templateSourceOperations, templateSourceHandlers(templateSources)),
    panelPart(ownServerOperations, serverHandlers(servers)),
    panelPart(consoleOperations, consoleHandlers(consoles)),
    panelPart(networkOperations, networkHandlers(allocations)),
    panelPart(startupOperations, startupHandlers({ db: database, servers, templates })),
    panelPart(settingsOperations, settingsHandlers({ servers, counted })),
    panelPart(resourceOperations, resourceHandlers({ servers, counted })),
    panelPart(databaseOperations, databaseHandlers(databases)),
    panelPart(databaseHostOperations, databaseHostHandlers(new DatabaseHosts({ db: database, clock, sealer }))),
    panelPart(subuserOperations, subuserHandlers(subusers)),
    panelPart(backupOperations, backupHandlers({ backups, downloads })),
    transferPart<typeof backupTransfers, PanelContexts>(backupTransfers, backupTransferHandlers(downloads)),
    panelPart(fileOperations, fileHandlers(files)),
    panelPart(sftpOperations, sftpHandlers({ db: database, nodes, sftp, publicUrl })),
    transferPart<typeof fileTransfers, PanelContexts>(fileTransfers, fileTransferHandlers(files)),
    panelPart(statsOperations, statsHandlers(stats)),
    panelPart(watchingOperations, watchingHandlers({ db: database, servers, watching })),
    panelPart(scheduleOperations, scheduleHandlers(schedules)),
    panelPart(activityOperations, activityHandlers(activity)),
    panelPart(webhookOperations, webhookHandlers(webhooks)),
    socketPart<typeof serverSockets, PanelContexts>(serverSockets, eventHandlers(viewers)),
  ]
  const acceptor = closer.use(
    acceptLinks({
      log,
      async greet(hello, from): Promise<Greeted> {
        const parsed = lenient(Hello).safeParse(hello)
        if (!parsed.success) throw new LinkError('refused', 'A panel accepts the hello of an edge, a node, or a join')
        return parsed.data.role === 'edge' ? edges.greet(parsed.data, from) : nodes.greet(parsed.data, from)
      },
    }),
  )
  const foreignBook = createForeignBook({ database, clock, log, usage })
  const webPages = pages(config.webDir === undefined ? new Map() : await readWebFiles(config.webDir))
  if (metrics) closer.use(addPanelMetrics(metrics, { nodes, directory, servers, webhooks }))
  const mcp = new Mcp({ access, changes, log, publicOrigin: config.publicUrl ?? null })
  const api = closer.use(
    await createApi<PanelContexts>({
      prefix: apiPrefix,
      parts: recorded(activity, declared, parts),
      gate: access.gate,
      log,
      cors: true,
      aliases: [pastedServerId],
      trustedProxies: config.trustedProxies,
      ...(requests ? { served: requests.served } : {}),
      further: [
        {
          gate: access.gate,
          parts: [panelPart(discoveryOperations, discoveryRoutes({ database, publicUrl, apiPrefix }))],
        },
        {
          gate: foreignEdgeGate({ database, rates }),
          parts: [
            part<typeof edgeContractOperations, ForeignEdgeContexts>(
              edgeContractOperations,
              foreignAnswers({ database, clock, access, rates, book: foreignBook }),
            ),
            transferPart<typeof edgeContractTransfers, ForeignEdgeContexts>(
              edgeContractTransfers,
              foreignReports(foreignBook),
            ),
          ],
        },
      ],
      pages(app) {
        healthRoutes(app, readiness, () => rates.problem)
        mcp.routes(app)
        webPages(app)
      },
    }),
  )
  // Its streams end before the server waits for what is under way.
  closer.use(mcp)
  closer.use(inspection)
  const listener = closer.use(
    await listenShared({
      host: config.host,
      port: config.port,
      identity,
      acceptor,
      onPlain: (socket) => api.serve(socket),
      log,
    }),
  )
  port = listener.port
  await panels.announce()

  const running = closer.move()
  return {
    get url() {
      return publicUrl()
    },
    port,
    pin: identity.pin,
    async setupLink() {
      const secret = await accounts.setup.secret()
      return secret && `${publicUrl()}/setup#${secret.reveal()}`
    },
    async setup(input) {
      const { user, workspace } = await accounts.setup.run(input)
      const { secret } = await database.transact((trx) =>
        tokens.create(trx, {
          workspaceId: workspace.id,
          userId: user.id,
          label: 'setup',
          expiresAt: null,
          madeWith: null,
        }),
      )
      return {
        account: await accounts.account(user.id),
        workspace: workspaces.describe({ ...workspace, createdAt: workspace.created_at, role: 'owner' }),
        token: secret,
      }
    },
    registerLocalNode: (name, machine) => nodes.localNode(name, machine),
    registerLocalEdge: (name, machine) => edges.local(name, machine),
    readiness,
    isLinked: (id) => nodes.online(id) !== null || directory.connected().some((edge) => edge.id === id),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

const Hello = z.discriminatedUnion('role', [EdgeHello, NodeHello, JoinHello])

/** A server's id may be pasted into a path as it is given: `/servers/servers/1a7ce997`. */
const pastedServerId = { from: /^\/servers\/servers(?:\/|%2f)(?=[0-9a-f]{8})/i, to: '/servers/' }

/** The compiler checks each handler against its operation here. */
const panelPart = <Ops extends Operations>(operations: Ops, handlers: Handlers<Ops, PanelContexts>): ApiPart =>
  part<Ops, PanelContexts>(operations, handlers)

function toDatabaseConfig({ database }: PanelConfig, { databaseUrl }: PanelSecrets): DatabaseConfig {
  if (database.kind === 'sqlite') return database
  if (!databaseUrl) throw new Error('The URL of the PostgreSQL database is not set')
  return { kind: 'postgres', url: databaseUrl }
}

/** Who makes certificates for domains; null: nobody. */
function acmeSettings({ acme }: PanelConfig, { acmeDnsKey }: PanelSecrets): AcmeSettings | null {
  if (!acme) return null
  const { directory, email, root, challenge, dns } = acme
  return {
    directory,
    email: email ?? null,
    root: root ?? null,
    challenge,
    dns: dns && acmeDnsKey ? { ...dns, key: acmeDnsKey } : null,
  }
}

/** Nodes and edges dial the port itself, whatever proxy stands in front of the pages. */
const linkHost = ({ publicUrl, host }: PanelConfig): string =>
  publicUrl === undefined ? reachableHost(host) : new URL(publicUrl).hostname

/** An address that means "all of them" cannot be dialled: the machine's own, where it has one, can. */
function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)
  return own?.address ?? '127.0.0.1'
}

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)
