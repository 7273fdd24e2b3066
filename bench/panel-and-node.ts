/** A whole panel and a real node with one server, each in a process of its own, for the benchmarks that compare them. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, createClient } from '../src/client/index.ts'
import { apiPrefix, publicOperations } from '../src/contract/api/index.ts'
import { decodeJoinToken } from '../src/contract/join-token.ts'
import { JoinWelcome } from '../src/contract/node.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { dialLink, tlsDialler } from '../src/link/index.ts'
import { startNode } from '../src/node/index.ts'
import { PanelConfig } from '../src/panel/config.ts'
import { startPanel } from '../src/panel/panel.ts'
import { reservePorts } from '../test/ports.ts'

/** Disk of the benchmark's server, in MiB: several times what any of them writes. */
const diskMib = 8 * 1024

export interface PanelAndNode extends AsyncDisposable {
  api: Client<typeof publicOperations>
  /** `http://127.0.0.1:…/api/v1` */
  baseUrl: string
  port: number
  key: string
  /** Of the one server. */
  serverId: string
  /** The server's own files. */
  data: string
  panelPid: number
  nodePid: number
  /** Kills the node's process with -9 and starts it again at once; resolves to its new id when it has started. */
  restartNode(): Promise<number>
}

if (import.meta.main) {
  countBuffersAsHeap()
  const [role, folder = ''] = process.argv.slice(2)
  if (role === 'panel') await panel(folder)
  else await node(folder)
}

/** Starts both under `folder`, with a server of the template `command` that is installed and stopped. */
export async function startPanelAndNode(
  folder: string,
  command = 'cat',
  { sftp = false, ports }: { sftp?: boolean; ports?: { first: number; last: number } } = {},
): Promise<PanelAndNode> {
  await using opening = new AsyncDisposableStack()
  const stack = opening.use(new AsyncDisposableStack())
  const start = async <T>(role: string, config: unknown): Promise<[T, ChildProcess]> => {
    const child = fork(import.meta.filename, [role, folder])
    stack.defer(() => stop(child))
    child.send({ config })
    const [ready] = (await once(child, 'message')) as [T]
    return [ready, child]
  }
  const [{ port, key }, panelProcess] = await start<{ port: number; key: string }>('panel', null)
  const baseUrl = `http://127.0.0.1:${port}${apiPrefix}`
  const api = createClient(publicOperations, { baseUrl, token: key })
  await api.putWorkspacePlan({ params: { slug: 'bench' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { joinToken } = await api.createNode({
    body: { name: 'bench', publicAddress: '127.0.0.1', ports: ports ?? (await reservePorts(2)) },
  })
  const { panel: endpoint, secret } = decodeJoinToken(joinToken)
  const joining = await dialLink({
    dialler: tlsDialler(endpoint),
    hello: { role: 'join', version: 1, secret, software: 'bench' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(joining.greeting)
  joining.close('joined')
  const nodeConfig = { panels: [endpoint], credential, sftp: sftp ? { host: '127.0.0.1', port: 0 } : null }
  let [, nodeProcess] = await start('node', nodeConfig)
  await until(async () => (await api.nodes()).nodes.some(({ online }) => online))
  const { id } = await api.createServer({
    body: {
      name: 'Bench',
      template: 'command',
      start: false,
      variables: { COMMAND: command },
      resources: { disk: diskMib },
    },
  })
  const serverId = id.slice('servers/'.length)
  stack.defer(async () => {
    await api.deleteServer({ params: { serverId } })
    await until(async () => !(await api.servers()).some((server) => server.id === id))
  })
  await until(async () => (await api.server({ params: { serverId } })).status === 'offline')
  opening.move()
  return {
    api,
    baseUrl,
    port,
    key,
    serverId,
    data: join(folder, 'node', 'servers', serverId, 'data'),
    panelPid: panelProcess.pid ?? 0,
    nodePid: nodeProcess.pid ?? 0,
    async restartNode() {
      await stop(nodeProcess)
      ;[, nodeProcess] = await start('node', nodeConfig)
      return nodeProcess.pid ?? 0
    },
    [Symbol.asyncDispose]: async () => {
      await stack.disposeAsync()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Polls; for what is not told. Gives up after a minute unless told otherwise. */
export async function until(look: () => boolean | Promise<boolean>, everyMs = 10, withinMs = 60_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`never happened: ${look}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** CPU time that the processes have taken together, in seconds. */
export async function cpuSeconds(...pids: number[]): Promise<number> {
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
      return Number(fields[11]) + Number(fields[12])
    }),
  )
  // Linux counts in hundredths for user space, whatever its own clock.
  return ticks.reduce((sum, count) => sum + count, 0) / 100
}

/** What a process holds in memory, in MB. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024) / 1e6
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function received(): Promise<unknown> {
  return ((await once(process, 'message')) as [{ config: unknown }])[0].config
}

async function panel(folder: string): Promise<void> {
  const started = await startPanel(
    PanelConfig.parse({
      port: 0,
      dataDir: join(folder, 'panel'),
      database: { kind: 'sqlite', file: join(folder, 'panel.db') },
      templatesDir: join(import.meta.dirname, '../templates'),
    }),
    {},
    { log: silentLog },
  )
  const { token } = await started.setup({
    email: 'a@example.com',
    password: 'long enough',
    workspace: { name: 'Bench', slug: 'bench' },
  })
  process.send?.({ port: started.port, key: token.reveal() })
}

/** Its configuration comes as a message: it holds a credential. */
async function node(folder: string): Promise<void> {
  const config = (await received()) as Pick<Parameters<typeof startNode>[0], 'panels' | 'credential' | 'sftp'>
  await startNode({ dataDir: join(folder, 'node'), ...config }, { log: silentLog })
  process.send?.('started')
}
