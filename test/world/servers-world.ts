import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient, type LiveSocket, openSocket } from '../../src/client/index.ts'
import { apiPrefix, publicSockets } from '../../src/contract/api/index.ts'
import { networkOperations } from '../../src/contract/api/network.ts'
import { nodeAdminOperations } from '../../src/contract/api/nodes.ts'
import { scheduleOperations } from '../../src/contract/api/schedules.ts'
import { serverOperations, serverSockets } from '../../src/contract/api/servers.ts'
import { settingsOperations } from '../../src/contract/api/settings.ts'
import { startupOperations } from '../../src/contract/api/startup.ts'
import { statsOperations } from '../../src/contract/api/stats.ts'
import { subuserOperations } from '../../src/contract/api/subusers.ts'
import { templateOperations, templateSourceOperations } from '../../src/contract/api/templates.ts'
import { watchingOperations } from '../../src/contract/api/watching.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { type JoinHello, JoinWelcome, type NodeHello } from '../../src/contract/node.ts'
import type { Role, ServerPermission } from '../../src/contract/permissions.ts'
import { Template } from '../../src/contract/template.ts'
import { createApi, part, socketPart } from '../../src/http/index.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { silentLog } from '../../src/lib/log.ts'
import { openSealer } from '../../src/lib/seal.ts'
import { hashSecret, newSecret, Secret } from '../../src/lib/secret.ts'
import { acceptLinks, dialLink, listenShared, loadIdentity, tlsDialler } from '../../src/link/index.ts'
import { createAccess, openTickets, type PanelContexts } from '../../src/panel/access/index.ts'
import { Activity } from '../../src/panel/activity/index.ts'
import { Backups, Passwords, Places, Repositories } from '../../src/panel/backups/index.ts'
import { ConsoleFeeds, Consoles, consoleHandlers, consoleOperations } from '../../src/panel/console/index.ts'
import { type DatabaseConfig, openChanges, openDatabase } from '../../src/panel/db/index.ts'
import { eventHandlers, Viewers } from '../../src/panel/events/index.ts'
import { captureParts } from '../../src/panel/inspection/index.ts'
import { createPost } from '../../src/panel/mail/index.ts'
import { Allocations, networkHandlers } from '../../src/panel/network/index.ts'
import { Nodes, nodeHandlers } from '../../src/panel/nodes/index.ts'
import { createPlans } from '../../src/panel/plans/index.ts'
import { ownRates } from '../../src/panel/rates/index.ts'
import { Schedules, scheduleHandlers } from '../../src/panel/schedules/index.ts'
import { ownServerOperations, Servers, serverHandlers } from '../../src/panel/servers/index.ts'
import { settingsHandlers } from '../../src/panel/settings/index.ts'
import { startupHandlers } from '../../src/panel/startup/index.ts'
import { Stats, statsHandlers } from '../../src/panel/stats/index.ts'
import { Subusers, subuserHandlers } from '../../src/panel/subusers/index.ts'
import {
  TemplateSources,
  Templates,
  templateHandlers,
  templateSourceHandlers,
} from '../../src/panel/templates/index.ts'
import { createTunnels } from '../../src/panel/tunnels/index.ts'
import { Watching, watchingHandlers } from '../../src/panel/watching/index.ts'
import { patienceMs } from '../patience.ts'
import { FakeNode } from './fake-node.ts'

const operations = {
  ...serverOperations,
  ...networkOperations,
  ...startupOperations,
  ...settingsOperations,
  ...scheduleOperations,
  ...statsOperations,
  ...subuserOperations,
  ...nodeAdminOperations,
  ...templateOperations,
  ...templateSourceOperations,
  ...watchingOperations,
}
type PanelClient = Client<typeof operations>
type ServerSocket = LiveSocket<(typeof serverSockets)['serverEvents']>
type OverviewSocket = LiveSocket<(typeof serverSockets)['events']>

/** Somebody with a key. */
export interface Person {
  userId: string
  email: string
  tokenId: string
  token: string
  api: PanelClient
  watch(serverId: string, backlog?: number): Promise<ServerSocket>
  watchAll(): Promise<OverviewSocket>
}

export const paper = Template.parse({
  id: 'paper',
  name: 'Paper',
  summary: 'A test server',
  protocols: ['tcp'],
  resources: { memory: 1024, disk: 2048, cpu: 1 },
  variables: [
    { name: 'MOTD', label: 'Message', default: 'hello', rule: { type: 'text', max: 20 } },
    { name: 'SLOTS', label: 'Slots', default: '20', rule: { type: 'integer', min: 1, max: 100 } },
    { name: 'MODE', label: 'Mode', default: 'easy', rule: { type: 'choice', of: ['easy', 'hard'] } },
  ],
  start: { command: ['true'] },
  stop: { by: 'command', command: 'stop' },
})

/**
 * The panel's slices around servers on a real database, a real port and real links, with fake nodes: everything between the
 * HTTP request and the node's own API. Whoever makes it disposes it; nodes and connections end with it.
 */
export async function startServersWorld(config: DatabaseConfig | 'sqlite' = 'sqlite', clock: Clock = systemClock) {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-servers-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const databaseConfig = config === 'sqlite' ? { kind: 'sqlite' as const, file: join(folder, 'panel.db') } : config
  const log = silentLog
  const db = stack.use(await openDatabase(databaseConfig, log))
  const changes = stack.use(await openChanges(db, databaseConfig, log))
  const access = stack.use(
    createAccess({
      rates: ownRates(clock),
      database: db,
      changes,
      clock,
      log,
      tickets: await openTickets({ database: db, clock }),
      publicOrigin: null,
      touchTokens: async () => undefined,
      touchSessions: async () => undefined,
    }),
  )
  const edge = {
    host: 'edge.test',
    base: 'localhost',
    scheme: 'http',
    httpPort: 80,
    linkPort: 80,
    minecraftPort: 25_565,
    udp: true,
    ports: { first: 31_000, last: 31_099 },
    region: 'default',
  } as const
  const tunnels = createTunnels({
    database: db,
    changes,
    clock,
    access,
    plans: createPlans({ database: db, clock, warningKey: () => new Secret('') }),
    settings: { ...captureParts, access: () => ({}) },
    domains: async () => ({ hosts: [], certificates: [] }),
    reaches: () => [edge],
  })
  const identity = await loadIdentity(folder)
  let port = 0
  const edges = [{ id: 'edge_1', host: 'edge.test', port: 4681, pin: 'pin' }]
  const nodes = stack.use(
    new Nodes({
      db,
      changes,
      clock,
      log,
      ports: { first: 25_565, last: 25_664 },
      endpoint: () => ({ host: '127.0.0.1', port, pin: identity.pin }),
      panels: () => [],
      edges: async () => edges,
    }),
  )
  const templates = new Templates({ shipped: new Map([[paper.id, paper]]), db, clock })
  const templateSources = stack.use(new TemplateSources({ templates, db, clock, log }))
  const servers = stack.use(new Servers({ db, changes, clock, log, access, nodes, templates, tunnels }))
  const consoles = new Consoles({ db, nodes, servers })
  const activity = stack.use(new Activity({ db, clock, log }))
  const stats = stack.use(new Stats({ db, clock, log, servers }))
  const watching = stack.use(new Watching({ db, clock, log, nodes, activity }))
  const places = new Places({ kind: 'local' }, null)
  const sealer = await openSealer(join(folder, 'secrets.key'))
  const repositories = new Repositories({ nodes, places, passwords: new Passwords({ db, clock, sealer }) })
  const backups = stack.use(
    new Backups({ db, changes, clock, log, nodes, servers, places, repositories, limit: 3, engine: 'archive' }),
  )
  const schedules = stack.use(new Schedules({ db, clock, log, access, servers, consoles, backups, activity }))
  const feeds = stack.use(new ConsoleFeeds({ nodes, clock, log }))
  const viewers = stack.use(new Viewers({ db, changes, access, servers, consoles, feeds, activity, log }))
  const allocations = new Allocations({ db, changes, clock, nodes, tunnels, servers })
  // This world has neither backups nor databases.
  const none = { count: async () => ({ limit: 0, current: 0 }), setLimit: async () => undefined }
  const counted = { allocations, backups: none, databases: none, schedules: none }
  const post = stack.use(createPost({ config: null, password: undefined, rates: ownRates(clock), log }))
  const subusers = new Subusers({ db, changes, clock, publicUrl: () => 'http://panel.test', post })
  const api = stack.use(
    await createApi<PanelContexts>({
      prefix: apiPrefix,
      parts: [
        part(nodeAdminOperations, nodeHandlers({ db, nodes, clock })),
        part(templateOperations, templateHandlers(templates)),
        part(templateSourceOperations, templateSourceHandlers(templateSources)),
        part(ownServerOperations, serverHandlers(servers)),
        part(consoleOperations, consoleHandlers(consoles)),
        part(networkOperations, networkHandlers(allocations)),
        part(startupOperations, startupHandlers({ db, servers, templates })),
        part(settingsOperations, settingsHandlers({ servers, counted })),
        part(subuserOperations, subuserHandlers(subusers)),
        part(statsOperations, statsHandlers(stats)),
        part(watchingOperations, watchingHandlers({ db, servers, watching })),
        part(scheduleOperations, scheduleHandlers(schedules)),
        socketPart(serverSockets, eventHandlers(viewers)),
      ],
      gate: access.gate,
      log,
      cors: true,
    }),
  )
  const acceptor = stack.use(
    acceptLinks({
      // The hellos of these tests come from themselves.
      greet: (hello, from) => nodes.greet(hello as NodeHello | JoinHello, from),
      log,
    }),
  )
  const listener = stack.use(
    await listenShared({ host: '127.0.0.1', port: 0, identity, acceptor, onPlain: (socket) => api.serve(socket), log }),
  )
  port = listener.port
  const baseUrl = `http://127.0.0.1:${port}${apiPrefix}`
  const dialler = tlsDialler({ host: '127.0.0.1', port, pin: identity.pin })

  const workspace = async (slug: string) => {
    const id = newId('wsp')
    const row = {
      id,
      slug,
      name: slug,
      plan: 'enterprise' as const,
      rate_limit: 1_000_000,
      suspended_at: null,
      created_at: 1,
    }
    await db.kysely.insertInto('workspaces').values(row).execute()
    return id
  }
  /** The same person at this panel. */
  const seenBy = ({
    userId,
    email,
    tokenId,
    token,
  }: Pick<Person, 'userId' | 'email' | 'tokenId' | 'token'>): Person => ({
    userId,
    email,
    tokenId,
    token,
    api: createClient(operations, { baseUrl, token, checkReplies: true }),
    watch: (serverId, backlog = 100) =>
      openSocket(publicSockets.serverEvents, { params: { serverId }, query: { backlog } }, { baseUrl, token }),
    watchAll: () => openSocket(publicSockets.events, {}, { baseUrl, token }),
  })
  const person = async (
    email: string,
    member: { workspaceId: string; role: Role },
    more: { instanceAdmin?: boolean } = {},
  ): Promise<Person> => {
    const userId = newId('usr')
    const tokenId = newId('tok')
    const token = newSecret('phk')
    await db.kysely
      .insertInto('users')
      .values({
        id: userId,
        email,
        name: email,
        password_hash: '-',
        has_password: 1,
        instance_admin: more.instanceAdmin ? 1 : 0,
        created_at: 1,
      })
      .execute()
    await db.kysely
      .insertInto('members')
      .values({ workspace_id: member.workspaceId, user_id: userId, role: member.role, joined_at: 1 })
      .execute()
    await db.kysely
      .insertInto('tokens')
      .values({
        id: tokenId,
        workspace_id: member.workspaceId,
        user_id: userId,
        label: null,
        secret_hash: hashSecret(token),
        created_at: 1,
        last_used_at: null,
        expires_at: null,
        revoked_at: null,
      })
      .execute()
    return seenBy({ userId, email, tokenId, token })
  }
  /** Registers a node and has a machine join with its token. */
  const joined = async (
    admin: Person,
    input: { name: string; publicAddress?: string; ports?: { first: number; last: number } },
  ) => {
    const { node, joinToken } = await admin.api.createNode({ body: input })
    const link = await dialLink({
      dialler,
      hello: { role: 'join', version: 1, secret: decodeJoinToken(joinToken).secret, software: 'fake' },
      events: { onStream: (stream) => stream.destroy() },
    })
    const { credential } = JoinWelcome.parse(link.greeting)
    link.close('joined')
    return { id: node.id, credential }
  }
  const node = async (
    admin: Person,
    input: { name: string; publicAddress?: string; ports?: { first: number; last: number }; memoryMib?: number },
  ) => {
    const { memoryMib, ...rest } = input
    const { id, credential } = await joined(admin, rest)
    const fake = stack.use(new FakeNode({ dialler, credential, ...(memoryMib === undefined ? {} : { memoryMib }) }))
    await fake.connect()
    return Object.assign(fake, { id, credential })
  }
  /** A subuser row, as if it had been made long ago. */
  const share = (serverId: string, userId: string, permissions: ServerPermission[]) =>
    db.kysely
      .insertInto('subusers')
      .values({ server_id: serverId, user_id: userId, permissions: JSON.stringify(permissions), created_at: 1 })
      .execute()

  return {
    db,
    changes,
    access,
    nodes,
    servers,
    consoles,
    activity,
    backups,
    schedules,
    stats,
    watching,
    viewers,
    templateSources,
    dialler,
    baseUrl,
    edges,
    workspace,
    person,
    seenBy,
    joined,
    node,
    share,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export type ServersWorld = Awaited<ReturnType<typeof startServersWorld>>
export type JoinedFake = Awaited<ReturnType<ServersWorld['node']>>

/** `1a7ce997` of `servers/1a7ce997`. */
export const keyOf = (id: string): string => id.slice('servers/'.length)

/** Polls until `look` gives something true; for what announces itself nowhere. The limit is only for a test that hangs. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { everyMs = 10, mostMs = patienceMs } = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + mostMs
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
