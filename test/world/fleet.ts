import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import type { Secret } from '../../src/lib/secret.ts'
import { firstLine, firstMessage, killed } from '../children.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { addGreeter } from './greeter.ts'
import { eventually, startAcme } from './panel.ts'
import { joinedNode } from './panel-node.ts'

const root = join(import.meta.dirname, '../..')

export interface FleetNode {
  id: string
  name: string
  dataDir: string
  child: ChildProcess
  /** `kill -9`; resolves once it is gone. */
  kill(): Promise<void>
  start(): Promise<void>
}

export interface FleetOptions {
  /** An SQLite file of its own unless given. */
  postgres?: Secret
  /** The socket of the engine that runs containers for both nodes. */
  engine?: string
}

/** A panel, an edge and two nodes, each a process of its own that may be killed and started again. */
export async function startFleet({ postgres, engine }: FleetOptions = {}) {
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-fleet-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const sqlite = { kind: 'sqlite', file: join(folder, 'panel.db') } as const
  const database = postgres ? ({ kind: 'postgres', url: postgres } as const) : sqlite
  const [panelPort, httpPort, edgePorts] = [await reservePort(), await reservePort(), await reservePorts(12)]
  const founded = await startAcme(database, { folder, config: { port: panelPort } })
  await addGreeter(join(folder, 'templates'))
  const { key } = founded
  const { pin } = founded.panel
  const { credential: edgeCredential } = await founded.panel.registerLocalEdge('edge')
  await founded.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const joined = []
  for (const name of ['one', 'two']) {
    const { node, joinToken } = await founded.acme.createNode({ body: { name, ports: await reservePorts(12) } })
    joined.push({ id: node.id, name, credential: await joinedNode(joinToken) })
  }
  await founded[Symbol.asyncDispose]()

  const startPanel = async (): Promise<ChildProcess> => {
    const child = fork(join(root, 'test/world/panel-process.ts'), { stdio: 'inherit' })
    child.send({
      ...{ port: panelPort, dataDir: folder, templatesDir: join(folder, 'templates') },
      ...(postgres ? { database: { kind: 'postgres' }, databaseUrl: postgres.reveal() } : { database: sqlite }),
    })
    await firstMessage(child)
    return child
  }
  let panel = await startPanel()
  closer.defer(() => killed(panel))
  const panels = [{ host: '127.0.0.1', port: panelPort, pin }]
  const edge = spawn(process.execPath, [join(root, 'src/edge/testing/edge-process.ts')], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  closer.defer(() => killed(edge))
  edge.stdin.end(
    JSON.stringify({
      ...{ listenHost: '127.0.0.1', httpPort, dataDir: join(folder, 'edge'), ports: edgePorts, panels },
      credential: edgeCredential.reveal(),
    }),
  )
  await firstLine(edge)
  const api = createClient(publicOperations, {
    ...{ baseUrl: `http://127.0.0.1:${panelPort}/api/v1`, token: key, checkReplies: true },
  })
  const nodes: FleetNode[] = []
  for (const { id, name, credential } of joined) {
    const dataDir = join(folder, name)
    const containers = engine === undefined ? {} : { docker: engine, containerNetwork: 'host' }
    const databasePorts = await reservePorts(3)
    const fresh = async (): Promise<ChildProcess> => {
      const child = fork(join(root, 'test/world/node-process.ts'), { stdio: 'inherit' })
      child.send({ dataDir, panels, credential, ...containers, databasePorts })
      await firstMessage(child)
      return child
    }
    const node: FleetNode = {
      ...{ id, name, dataDir, child: await fresh() },
      kill: () => killed(node.child),
      async start() {
        node.child = await fresh()
      },
    }
    closer.defer(() => node.kill())
    nodes.push(node)
  }
  const [one, two] = nodes as [FleetNode, FleetNode]
  const online = async () => (await api.nodes()).nodes.every((node) => node.online)
  await eventually(online, 'both nodes are here')
  await eventually(async () => (await api.edges()).edges.length === 1, 'the edge is here')
  const running = closer.move()
  return {
    ...{ api, one, two, online, folder, url: `http://127.0.0.1:${panelPort}`, key },
    killPanel: () => killed(panel),
    async startPanel() {
      panel = await startPanel()
    },
    async [Symbol.asyncDispose]() {
      // A node leaves its games running when it ends, on purpose.
      for (const node of nodes) if (node.child.exitCode !== null || node.child.signalCode !== null) await node.start()
      if (panel.exitCode !== null || panel.signalCode !== null) panel = await startPanel()
      await eventually(online, 'everybody is here for the end')
      for (const { id } of await api.servers()) {
        const params = { serverId: id.slice('servers/'.length) }
        await api.cancelTransfer({ params }).catch(() => undefined)
        await eventually(async () => {
          const { transfer } = await api.serverTransfer({ params })
          return transfer === null || transfer.endedAt !== null
        }, 'no transfer is under way')
        // The last one ends the MariaDB of its node.
        for (const { id: database } of await api.databases({ params }))
          await api.deleteDatabase({ params: { ...params, database } })
        await api.deleteServer({ params })
      }
      await running.disposeAsync()
    },
  }
}
