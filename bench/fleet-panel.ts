/**
 * What a panel with many nodes and servers costs. The nodes are simulated: real links over TLS and the whole node contract, servers that are
 * entries in memory. First the panel with one node and one server, then the same panel with all: memory, CPU time at rest, the first page
 * of a list, how long a node's event takes to a viewer, and how long until every node is back after the panel was killed with -9.
 *
 *   node bench/fleet-panel.ts [sqlite|postgres] [nodes] [servers] [seconds of rest]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, createClient, openSocket } from '../src/client/index.ts'
import { apiPrefix, publicOperations, publicSockets } from '../src/contract/api/index.ts'
import { decodeJoinToken, type PanelEndpoint } from '../src/contract/join-token.ts'
import type { ServerUsage } from '../src/contract/node.ts'
import { Template } from '../src/contract/template.ts'
import { backoffMs, reconnectBackoff } from '../src/lib/backoff.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { newId } from '../src/lib/ids.ts'
import { silentLog } from '../src/lib/log.ts'
import { hashSecret, newSecret, Secret } from '../src/lib/secret.ts'
import { tlsDialler } from '../src/link/index.ts'
import { PanelConfig } from '../src/panel/config.ts'
import { type DatabaseConfig, openDatabase } from '../src/panel/db/index.ts'
import { insertAllocation } from '../src/panel/network/index.ts'
import { insertNode } from '../src/panel/nodes/store.ts'
import { startPanel } from '../src/panel/panel.ts'
import { insertServer } from '../src/panel/servers/store.ts'
import { keepTemplate } from '../src/panel/templates/index.ts'
import { reservePort } from '../test/ports.ts'
import { FakeNode } from '../test/world/fake-node.ts'
import { joinFakeNode } from '../test/world/panel-node.ts'
import { cpuSeconds, residentMegabytes, until } from './panel-and-node.ts'

/** Processes that the nodes are spread over. */
const nodeProcesses = 2

/** How often a real node says what each running server uses, ms. */
const usageMs = 2_000

/** How often a figure is taken that has a distribution. */
const samples = 200

/** How long what has just happened is left alone before the rest is measured, ms. */
const settleMs = 5_000

/** An event that takes longer than this does not come any more, ms: its node or the viewer has been cut off. */
const eventWaitMs = 30_000

/** A node that lost its panel waits no longer than this between tries, ms, as real ones do for the first minute. */
const retryMostMs = 1_000

/** Nodes of one process that dial at the same time at the very beginning. */
const diallingAtOnce = 20

type Api = Client<typeof publicOperations>

interface Start {
  port: number
  dataDir: string
  postgres: string | null
  setup: boolean
}

interface World {
  api: Api
  baseUrl: string
  key: string
  pid: number
}

/** What the processes with nodes are told; each answers when it is so. */
type Order =
  | { what: 'link'; endpoint: PanelEndpoint; credentials: string[]; servers: number }
  | { what: 'run' }
  | { what: 'usage'; on: boolean }
  | { what: 'linked again' }

const [role, ...rest] = process.argv.slice(2)
if (role === 'panel') await panel()
else if (role === 'nodes') nodes()
else await compare(role === 'postgres' ? 'postgres' : 'sqlite', ...counts(rest))

function counts([nodeCount = 1000, serverCount = 10_000, seconds = 20]: unknown[]): [number, number, number] {
  return [Number(nodeCount), Number(serverCount), Number(seconds)]
}

async function compare(kind: 'sqlite' | 'postgres', nodeCount: number, serverCount: number, seconds: number) {
  console.log(`${kind}, ${nodeCount} nodes, ${serverCount} servers; load average ${load()} at the beginning`)
  await using stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(dataDir, { recursive: true, force: true }))
  const database = kind === 'sqlite' ? sqliteIn(dataDir) : postgres()
  const start: Start = {
    port: await reservePort(),
    dataDir,
    postgres: database.kind === 'postgres' ? database.url.reveal() : null,
    setup: true,
  }
  let child = fork(import.meta.filename, ['panel'])
  stack.defer(() => kill(child))
  const key = (await ask(child, start)) as string
  const baseUrl = `http://127.0.0.1:${start.port}${apiPrefix}`
  const api = createClient(publicOperations, { baseUrl, token: key })
  const world = { api, baseUrl, key, pid: child.pid ?? 0 }
  await api.putWorkspacePlan({ params: { slug: 'bench' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })

  const near = stack.use(await joinFakeNode(api, 'near'))
  const { id } = await api.createServer({ body: { name: 'Near', template: 'command' } })
  const nearServer = id.slice('servers/'.length)
  await until(async () => (await api.server({ params: { serverId: nearServer } })).status === 'running')
  await report('one node, one server', world, seconds, near, nearServer)

  const credentials = await seed(database, nodeCount, serverCount)
  const { joinToken } = await api.createNode({ body: { name: 'never joins' } })
  const endpoint = decodeJoinToken(joinToken).panel
  const machines = Array.from({ length: nodeProcesses }, () => fork(import.meta.filename, ['nodes']))
  stack.defer(async () => {
    await Promise.all(machines.map(kill))
  })
  const tell = (order: Exclude<Order, { what: 'link' }>) => Promise.all(machines.map((one) => ask(one, order)))
  const linking = await timed(() =>
    Promise.all(
      machines.map((one, index) => {
        const own = credentials.filter((_, at) => at % nodeProcesses === index)
        const order: Order = {
          ...{ what: 'link', endpoint, credentials: own },
          servers: own.length * Math.ceil(serverCount / nodeCount),
        }
        return ask(one, order)
      }),
    ),
  )
  console.log(`all linked for the first time, with every spec pushed: ${linking} ms`)
  const started = await timed(async () => {
    const seen = seeRunning(world, serverCount)
    await tell({ what: 'run' })
    await seen
  })
  console.log(`all servers start, until a viewer of all has heard it: ${started} ms`)
  await sleep(settleMs)
  await report(`${nodeCount} nodes, ${serverCount} running servers`, world, seconds, near, nearServer)
  await tell({ what: 'usage', on: true })
  await sleep(settleMs)
  await report(`the same, and each says every ${usageMs} ms what it uses`, world, seconds, near, nearServer)
  await tell({ what: 'usage', on: false })
  await sleep(settleMs)

  const killedAt = performance.now()
  await kill(child)
  child = fork(import.meta.filename, ['panel'])
  await ask(child, { ...start, setup: false })
  const listens = Math.round(performance.now() - killedAt)
  await tell({ what: 'linked again' })
  const linked = Math.round(performance.now() - killedAt)
  await seeRunning(world, serverCount)
  const known = Math.round(performance.now() - killedAt)
  console.log(
    `killed: the panel listens after ${listens} ms, all nodes are linked after ${linked} ms, a viewer knows every server's state after ${known} ms`,
  )
  console.log(`load average ${load()} at the end`)
}

/** Puts them straight into the database: what it costs to make so many one after the other is not the question. */
async function seed(config: DatabaseConfig, nodeCount: number, serverCount: number): Promise<string[]> {
  await using database = await openDatabase(config, silentLog)
  const machines = Array.from({ length: nodeCount }, (_, index) => ({
    id: newId('node'),
    name: `machine ${index}`,
    credential: newSecret('phnode'),
  }))
  const template = Template.parse({
    id: 'plain',
    name: 'Plain',
    summary: 'A program',
    protocols: ['tcp'],
    resources: { memory: 256, disk: 256, cpu: 1 },
    start: { command: ['true'] },
    stop: { by: 'command', command: 'stop' },
  })
  const now = Date.now()
  await database.transact(async (trx) => {
    const owner = await trx.selectFrom('users').select('id').executeTakeFirstOrThrow()
    const workspace = await trx.selectFrom('workspaces').select('id').executeTakeFirstOrThrow()
    const template_hash = await keepTemplate(trx, template)
    for (const { id, name, credential } of machines)
      await insertNode(trx, {
        ...{ id, name, credential_hash: hashSecret(credential), join_hash: null, join_expires_at: null },
        ...{ public_address: 'play.example.org', port_first: 25_565, port_last: 25_664, facts: null, labels: '{}' },
        ...{ maintenance_at: null, memory_factor: 1, disk_factor: null, cpu_factor: null, last_seen_at: null },
        created_at: now,
      })
    for (let index = 0; index < serverCount; index++) {
      const id = (index + 0x10000000).toString(16)
      const node_id = machines[index % nodeCount]?.id ?? ''
      await insertServer(trx, {
        ...{ id, workspace_id: workspace.id, owner_id: owner.id, node_id, name: `Server ${index}` },
        ...{ template: template.id, template_hash, memory: 256, disk: 256, cpu: 1, variables: '{}' },
        ...{ restart_on_crash: 0, restart_on_hang: 0, start_when_installed: 0, allocation_limit: 5 },
        ...{ wake_on_connect: 0, idle_minutes: 15 },
        ...{ runtime: 'sandbox', image: null, placement: '{}', transfer_id: null, suspended_at: null },
        ...{ deleted_at: null, revision: 1, state: null, created_at: now + index },
      })
      await insertAllocation(trx, {
        ...{ id: newId('alloc'), node_id, server_id: id, port: 25_565 + Math.floor(index / nodeCount) },
        ...{ primary_port: 1, notes: null, created_at: now },
      })
    }
  })
  return machines.map(({ credential }) => credential)
}

/** Resolves once somebody who watches every server has seen that so many run. */
async function seeRunning({ baseUrl, key }: World, count: number): Promise<void> {
  const seen = new Set<string>()
  for (;;) {
    try {
      const socket = await openSocket(publicSockets.events, {}, { baseUrl, token: key })
      for await (const event of socket) {
        if (event.type === 'status' && event.status === 'running') seen.add(event.serverId)
        if (seen.size < count) continue
        socket.close()
        return
      }
    } catch {
      // Too slow for so much at once, or the panel is not there yet: what comes first after opening is how everything stands.
    }
    await sleep(100)
  }
}

async function report(what: string, world: World, seconds: number, near: FakeNode, server: string): Promise<void> {
  const resident = Math.round(await residentMegabytes(world.pid))
  const before = await cpuSeconds(world.pid)
  const from = performance.now()
  await sleep(seconds * 1000)
  const share = ((await cpuSeconds(world.pid)) - before) / ((performance.now() - from) / 1000)
  console.log(`${what}: ${resident} MB resident, ${(share * 100).toFixed(1)} % of a core; load average ${load()}`)
  const lists = ['servers?limit=50', 'servers', 'nodes', `servers/${server}`]
  for (const path of lists)
    console.log(`  GET ${path}: ${spread(await repeated(() => get(world, path), samples / 10))}`)
  console.log(`  event to a viewer of the server: ${spread(await eventTimes(world, near, server, 'server'))}`)
  console.log(`  event to a viewer of all servers: ${spread(await eventTimes(world, near, server, 'all'))}`)
}

async function get({ baseUrl, key }: World, path: string): Promise<void> {
  const reply = await fetch(`${baseUrl}/${path}`, { headers: { authorization: `Bearer ${key}` } })
  await reply.arrayBuffer()
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`)
}

/** From the moment at which the node says it; node and viewer are in this process. */
async function eventTimes({ baseUrl, key }: World, near: FakeNode, server: string, of: 'server' | 'all') {
  const options = { baseUrl, token: key }
  const socket = await (of === 'all'
    ? openSocket(publicSockets.events, {}, options)
    : openSocket(publicSockets.serverEvents, { params: { serverId: server } }, options))
  let heard = (_status: string): void => undefined
  const reading = (async () => {
    for await (const event of socket) if (event.type === 'status' && isOf(event, server)) heard(event.status)
  })()
  // What stands at the beginning comes before what happens.
  await sleep(settleMs)
  let turn = 0
  const times = await repeated(async () => {
    const phase = turn++ % 2 === 0 ? 'starting' : 'running'
    const arrived = new Promise<void>((resolve) => {
      heard = (status) => {
        if (status === phase) resolve()
      }
    })
    near.enter(server, phase)
    const late = sleep(eventWaitMs, 'late', { ref: false })
    if ((await Promise.race([arrived, late])) === 'late') throw new Error('An event has not come: the link was lost')
  }, samples)
  socket.close()
  await reading.catch(() => undefined)
  return times
}

function isOf(event: { serverId?: string }, server: string): boolean {
  return event.serverId === undefined || event.serverId === `servers/${server}`
}

async function repeated(work: () => Promise<void>, times: number): Promise<number[]> {
  const taken: number[] = []
  for (let turn = 0; turn < times; turn++) {
    const from = performance.now()
    await work()
    taken.push(performance.now() - from)
    await sleep(5)
  }
  return taken
}

function spread(times: number[]): string {
  const sorted = times.toSorted((left, right) => left - right)
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return Math.round(performance.now() - from)
}

async function ask(child: ChildProcess, order: Order | Start): Promise<unknown> {
  child.send(order)
  const [answer] = (await once(child, 'message')) as [unknown]
  return answer
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function load(): string {
  return loadavg()[0]?.toFixed(1) ?? ''
}

function sqliteIn(dataDir: string): DatabaseConfig & { kind: 'sqlite' } {
  return { kind: 'sqlite', file: join(dataDir, 'panel.db') }
}

/** A database of nobody else, on a PostgreSQL that whoever measures has started; its URL is a secret and comes as a variable. */
function postgres(): DatabaseConfig {
  const url = process.env.BENCH_DATABASE_URL
  if (!url) throw new Error('Set BENCH_DATABASE_URL to the URL of an empty PostgreSQL database')
  return { kind: 'postgres', url: new Secret(url) }
}

async function panel(): Promise<void> {
  countBuffersAsHeap()
  const [start] = (await once(process, 'message')) as [Start]
  const started = await startPanel(
    PanelConfig.parse({
      port: start.port,
      dataDir: start.dataDir,
      database: start.postgres === null ? sqliteIn(start.dataDir) : { kind: 'postgres' },
      templatesDir: join(import.meta.dirname, '../templates'),
    }),
    start.postgres === null ? {} : { databaseUrl: new Secret(start.postgres) },
    { log: silentLog },
  )
  if (!start.setup) return void process.send?.('started')
  const { token } = await started.setup({
    email: 'a@example.com',
    password: 'long enough',
    workspace: { name: 'Bench', slug: 'bench' },
  })
  process.send?.(token.reveal())
}

/** A process full of nodes. */
function nodes(): void {
  const fleet: FakeNode[] = []
  let linked = 0
  let telling: NodeJS.Timeout | null = null

  const keep = async (node: FakeNode): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        const link = await node.connect()
        linked += 1
        attempt = 0
        await link.closed
        linked -= 1
      } catch {
        // Nobody listens yet.
      }
      await sleep(backoffMs(attempt, { ...reconnectBackoff, mostMs: retryMostMs }))
    }
  }
  const every = (): Iterable<[FakeNode, string]> =>
    fleet.flatMap((node) => [...node.servers.keys()].map((id): [FakeNode, string] => [node, id]))
  const follow = async (order: Order): Promise<void> => {
    if (order.what === 'link') {
      for (const credential of order.credentials) {
        const node = new FakeNode({ dialler: tlsDialler(order.endpoint), credential })
        fleet.push(node)
        void keep(node)
        await until(() => fleet.length - linked < diallingAtOnce)
      }
      await until(() => [...every()].length >= order.servers && linked === fleet.length, 100)
    } else if (order.what === 'run') {
      for (const [node, id] of every()) node.enter(id, 'running')
    } else if (order.what === 'linked again') await until(() => linked === fleet.length)
    else if (order.on) telling = tellUsage(fleet)
    else if (telling) clearInterval(telling)
    process.send?.('done')
  }
  process.on('message', (order: Order) => void follow(order))
}

/** A node measures all its servers together; nodes do so at different moments. */
function tellUsage(fleet: FakeNode[]): NodeJS.Timeout {
  const everyMs = 20
  const turns = usageMs / everyMs
  let turn = 0
  return setInterval(() => {
    turn = (turn + 1) % turns
    for (let index = turn; index < fleet.length; index += turns) {
      const node = fleet[index]
      if (node) for (const id of node.servers.keys()) node.tell({ type: 'usage', id, usage: usage(index) })
    }
  }, everyMs)
}

function usage(index: number): ServerUsage {
  return {
    ...{ memoryBytes: 100_000_000 + index, cpuCores: 0.05, diskBytes: 50_000_000 },
    ...{ networkRxBytes: null, networkTxBytes: null, processes: 4 },
  }
}
