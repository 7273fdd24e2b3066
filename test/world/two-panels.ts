import { type ChildProcess, fork, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiError, createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import type { Secret } from '../../src/lib/secret.ts'
import { openDatabase } from '../../src/panel/db/index.ts'
import { firstLine, firstMessage, killed } from '../children.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { addGreeter } from './greeter.ts'
import { eventually, startAcme } from './panel.ts'
import { joinedNode } from './panel-node.ts'

const root = join(import.meta.dirname, '../..')

/** As `panel-process.ts` takes it. */
type PanelProcessConfig = { port: number; [key: string]: unknown }

/** One of the panels, as a process that may be killed. */
export class PanelProcess {
  readonly config: PanelProcessConfig
  readonly port: number
  #child: ChildProcess | null = null

  constructor(config: PanelProcessConfig) {
    this.config = config
    this.port = config.port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  client(token: string) {
    return createClient(publicOperations, { baseUrl: `${this.url}/api/v1`, token, checkReplies: true })
  }

  async start(): Promise<void> {
    const child = fork(join(root, 'test/world/panel-process.ts'), { stdio: 'inherit' })
    this.#child = child
    child.send(this.config)
    await firstMessage(child)
  }

  get runs(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** `kill -9`; resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.#child) await killed(this.#child)
  }
}

/**
 * Two panels on one PostgreSQL, an edge and two nodes, each a process of its own. Nodes and edge are told of the first panel
 * alone, as people tell them.
 */
export async function startTwoPanels(databaseUrl: Secret) {
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-panels-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const database = { kind: 'postgres', url: databaseUrl } as const
  const [portA, portB, httpPort, edgePorts] = [
    await reservePort(),
    await reservePort(),
    await reservePort(),
    await reservePorts(12),
  ]
  const webhookNetworks = ['127.0.0.0/8']
  const founded = await startAcme(database, { folder, config: { port: portA } })
  const templatesDir = join(folder, 'templates')
  await addGreeter(templatesDir)
  const { key } = founded
  const first = { host: '127.0.0.1', port: portA, pin: founded.panel.pin }
  const { credential: edgeCredential } = await founded.panel.registerLocalEdge('edge')
  await founded.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const joined = []
  for (const name of ['one', 'two']) {
    const { node, joinToken } = await founded.acme.createNode({ body: { name, ports: await reservePorts(12) } })
    joined.push({ id: node.id, name, credential: await joinedNode(joinToken) })
  }
  await founded[Symbol.asyncDispose]()
  const second = join(folder, 'second')
  await mkdir(second)
  await copyFile(join(folder, 'secrets.key'), join(second, 'secrets.key'))

  const shared = {
    ...{ host: '127.0.0.1', templatesDir, webhookNetworks, database: { kind: 'postgres' } },
    databaseUrl: databaseUrl.reveal(),
  }
  const a = new PanelProcess({ ...shared, port: portA, dataDir: folder })
  const b = new PanelProcess({ ...shared, port: portB, dataDir: second })
  for (const panel of [a, b]) {
    await panel.start()
    closer.defer(() => panel.kill())
  }
  const edge = spawn(process.execPath, [join(root, 'src/edge/testing/edge-process.ts')], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  closer.defer(() => killed(edge))
  edge.stdin.end(
    JSON.stringify({
      ...{ listenHost: '127.0.0.1', httpPort, dataDir: join(folder, 'edge'), ports: edgePorts, panels: [first] },
      credential: edgeCredential.reveal(),
    }),
  )
  await firstLine(edge)
  for (const { name, credential } of joined) {
    const child = fork(join(root, 'test/world/node-process.ts'), { stdio: 'inherit' })
    closer.defer(() => killed(child))
    child.send({ dataDir: join(folder, name), panels: [first], credential })
    await firstMessage(child)
  }
  const rows = closer.use(await openDatabase(database, silentLog))
  const running = closer.move()
  return {
    ...{ a, b, key, folder, rows, databaseUrl, nodes: joined.map(({ id }) => id) as [string, string] },
    async [Symbol.asyncDispose]() {
      // A node leaves its games running when it ends, on purpose: they are deleted before.
      try {
        for (const panel of [a, b]) if (!panel.runs) await panel.start()
        const api = b.client(key)
        await eventually(async () => (await api.nodes()).nodes.every(({ online }) => online), 'the nodes are here')
        // One that is just being moved, where a test has ended early, is let go of as soon as that has ended.
        for (const { id } of await api.servers())
          await eventually(
            () =>
              api.deleteServer({ params: { serverId: id.slice('servers/'.length) } }).then(
                () => true,
                (error: unknown) => {
                  if (error instanceof ApiError && error.code === 'conflict') return false
                  throw error
                },
              ),
            'a server can be deleted',
          )
      } finally {
        await running.disposeAsync()
      }
    },
  }
}
