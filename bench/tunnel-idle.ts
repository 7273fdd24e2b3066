/**
 * What waiting costs an edge in memory: tunnels that nobody visits, each with an agent's link of its own or many on one link, and
 * visitors that say nothing. Resident memory of the edge's process and of its heap, after a full collection.
 *
 *   node bench/tunnel-idle.ts
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { dialLink, type Link, splice, tlsDialler } from '../src/link/index.ts'

const token = 'a-token-of-this-benchmark'

const [role, folder = ''] = process.argv.slice(2)
if (role === 'edge') await edge(folder)
else if (role === 'agents') await agents(JSON.parse(folder) as { port: number; pin: string })
else await compare()

async function edge(dataDir: string): Promise<void> {
  countBuffersAsHeap()
  const tokensFile = join(dataDir, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const config = EdgeConfig.parse({
    dataDir: join(dataDir, 'edge'),
    listenHost: '127.0.0.1',
    httpPort: 0,
    ports: { first: 29_600, last: 29_699 },
    tokensFile,
  })
  const many = 100_000
  const { httpPort, pin } = await startEdge(config, {
    log: silentLog,
    // The load comes from one address and one workspace.
    limits: { visitorsPerAddressMax: many, sessionsPerCredentialMax: many, openingsPerSourceMax: many },
  })
  setFlagsFromString('--expose-gc')
  const gc: () => void = runInNewContext('gc')
  process.on('message', () => {
    gc()
    gc()
    process.send?.(process.memoryUsage())
  })
  process.send?.({ port: httpPort, pin })
}

/** Links and tunnels as they are asked for: `{links, each}`, `{tcp: true}` for one that leads to a silent service. */
async function agents({ port, pin }: { port: number; pin: string }): Promise<void> {
  const links: Link[] = []
  const service = createServer((socket) => void socket.on('error', () => undefined))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const target = (service.address() as { port: number }).port // an address of TCP
  let count = 0
  process.on(
    'message',
    async ({ links: wanted, each, kind }: { links: number; each: number; kind: 'http' | 'tcp' }) => {
      const ports: string[] = []
      for (let i = 0; i < wanted; i++) {
        let left = each
        const opened = Promise.withResolvers<void>()
        const link = await dialLink({
          dialler: tlsDialler({ host: '127.0.0.1', port, pin }),
          hello: { role: 'agent', version: 1, credential: token, software: 'bench' },
          events: {
            onStream: (stream) =>
              void splice(stream, connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })),
            onMessage: (message) => {
              const news = message as { type: string; url?: string } // what an edge answers
              if (news.type === 'refused') opened.reject(new Error(JSON.stringify(message)))
              if (news.type !== 'opened') return
              ports.push(new URL(news.url ?? '').port)
              left -= 1
              if (left === 0) opened.resolve()
            },
          },
        })
        links.push(link)
        for (let j = 0; j < each; j++) link.send({ type: 'open', ref: `${j}`, tunnel: { kind, name: `t${++count}` } })
        await opened.promise
      }
      process.send?.(ports)
    },
  )
  process.send?.({})
}

async function compare(): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const home = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(home, { recursive: true, force: true }))
  const start = async <T>(...argv: string[]): Promise<[ChildProcess, T]> => {
    const child = fork(import.meta.filename, argv)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return [child, ready]
  }
  const [edgeProcess, at] = await start<{ port: number; pin: string }>('edge', home)
  const [agentProcess] = await start('agents', JSON.stringify(at))
  const ask = async <T>(child: ChildProcess, what: object): Promise<T> => {
    child.send(what)
    const [answer] = (await once(child, 'message')) as [T]
    return answer
  }
  const memory = (): Promise<NodeJS.MemoryUsage> => ask(edgeProcess, {})
  const measure = async (what: string, many: number, open: () => Promise<unknown>): Promise<void> => {
    const before = await memory()
    await open()
    const after = await memory()
    const each = (key: 'rss' | 'heapUsed'): string => `${((after[key] - before[key]) / many / 1000).toFixed(1)} KB`
    console.log(
      `${what}: ${each('rss')} each resident, of which ${each('heapUsed')} heap; ${Math.round(after.rss / 1e6)} MB in all`,
    )
  }
  await ask(agentProcess, { links: 20, each: 1, kind: 'http' }) // warms up
  await measure('1,000 idle tunnels, a link each', 1000, () =>
    ask(agentProcess, { links: 1000, each: 1, kind: 'http' }),
  )
  await measure('10,000 idle tunnels on 100 links', 10_000, () =>
    ask(agentProcess, { links: 100, each: 100, kind: 'http' }),
  )
  const ports = (await ask<string[]>(agentProcess, { links: 2, each: 1, kind: 'tcp' })).map(Number)
  const visitors: Socket[] = []
  stack.defer(() => {
    for (const visitor of visitors) visitor.destroy()
  })
  const visit = async (many: number): Promise<void> => {
    for (let i = 0; i < many; i++) {
      const socket = connect({ port: ports[i % ports.length] ?? 0, host: '127.0.0.1' })
      visitors.push(socket)
      await once(socket, 'connect')
    }
    await new Promise((resolve) => setTimeout(resolve, 1000)) // until the last one's stream is open
  }
  await visit(200)
  await measure('5,000 idle visitors', 5000, () => visit(5000))
}
