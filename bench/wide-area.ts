// A small request beside downloads over a wide-area network: visitor and edge in one network namespace, agent and service in
// another, between them `wide-area.c` (compiled in a temporary folder), which delays, limits and loses packets. Beside it the
// same without a tunnel, each visitor with a connection of its own. Needs root, `ip` and gcc.
//
//   node bench/wide-area.ts [rounds] [seconds] [loss in percent] [downloads]
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '../src/agent/agent.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { median } from './http-load.ts'

const token = 'a-token-of-this-benchmark'
const delayMs = 20
const megabits = 100
const queueMs = 100
const [here, there] = ['10.77.0.1', '10.77.0.2']
const smallEveryMs = 25
const smallBytes = 200
const isDownload = 'D'.charCodeAt(0)

interface Measured {
  /** Milliseconds of each small request. */
  small: number[]
  /** MB/s of all downloads together. */
  rate: number
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'origin') await origin()
else if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'agent') await agent(JSON.parse(rest[0] ?? '') as { port: number; pin: string; origin: number })
else if (role === 'visit')
  process.send?.(await visit(rest[0] ?? '', Number(rest[1]), Number(rest[2]), Number(rest[3])), () => process.exit())
else await compare(Number(role ?? 3), Number(rest[0] ?? 8), Number(rest[1] ?? 0), Number(rest[2] ?? 8))

/** Sends without end to whoever asks for a download; answers each small request with as many bytes. */
async function origin(): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first: Buffer) => {
      if (first[0] !== isDownload) {
        socket.write(first)
        socket.on('data', (more) => socket.write(more))
        return
      }
      const more = (): void => {
        while (socket.writable && socket.write(chunk)) {}
      }
      socket.on('drain', more)
      more()
    })
  })
  server.listen(0, there)
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port) // an address of TCP
}

async function edge(folder: string): Promise<void> {
  const tokensFile = join(folder, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const config = EdgeConfig.parse({
    dataDir: join(folder, 'edge'),
    listenHost: here,
    httpPort: 0,
    host: here,
    ports: { first: 29_400, last: 29_499 },
    tokensFile,
  })
  const { httpPort, pin } = await startEdge(config, { log: silentLog })
  process.send?.({ port: httpPort, pin })
}

async function agent({ port, pin, origin }: { port: number; pin: string; origin: number }): Promise<void> {
  startAgent({
    edges: [{ host: here, port, pin }],
    credential: () => new Secret(token),
    tunnels: [{ id: 'tcp', request: { kind: 'tcp', name: 'bulk' }, target: { host: there, port: origin } }],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'opened') process.send?.(Number(new URL(event.url).port))
    },
  })
}

async function visit(host: string, port: number, seconds: number, downloads: number): Promise<Measured> {
  let received = 0
  const open = async (first: Buffer): Promise<Socket> => {
    const socket = connect({ host, port, noDelay: true })
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write(first)
    return socket
  }
  const bulk = await Promise.all(Array.from({ length: downloads }, () => open(Buffer.from('D'))))
  for (const socket of bulk)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
  await pause(3_000) // until windows have grown
  const small: number[] = []
  const asker = await open(Buffer.alloc(smallBytes))
  await answer(asker)
  const [begun, from] = [performance.now(), received]
  while (performance.now() - begun < seconds * 1000) {
    const asked = performance.now()
    asker.write(Buffer.alloc(smallBytes))
    await answer(asker)
    small.push(performance.now() - asked)
    await pause(smallEveryMs)
  }
  const took = (performance.now() - begun) / 1000
  return { small, rate: (received - from) / 1e6 / took }
}

async function answer(socket: Socket): Promise<void> {
  for (let bytes = 0; bytes < smallBytes; ) {
    const [chunk] = await once(socket, 'data')
    bytes += chunk.length
  }
}

async function compare(rounds: number, seconds: number, lossPercent: number, downloads: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'wide-area')
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'wide-area.c')])
  const spaces = [`pharos-near-${process.pid}`, `pharos-far-${process.pid}`] as const
  for (const space of spaces) {
    execFileSync('ip', ['netns', 'add', space])
    stack.defer(() => void execFileSync('ip', ['netns', 'del', space]))
  }
  // Which every kernel has: with a machine's own choice, the figures would be those of that choice.
  const reno = 'echo reno > /proc/sys/net/ipv4/tcp_congestion_control'
  for (const space of spaces) execFileSync('ip', ['netns', 'exec', space, 'sh', '-c', reno])
  const network = spawn(program, [...spaces, delayMs, megabits, queueMs, lossPercent].map(String), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stack.defer(() => void network.kill())
  await once(network.stdout, 'data')

  const run = (space: string, ...argv: string[]): ChildProcess =>
    spawn('ip', ['netns', 'exec', space, process.execPath, import.meta.filename, ...argv], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  const start = async <T>(space: string, ...argv: string[]): Promise<T> => {
    const child = run(space, ...argv)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return ready
  }
  const [near, far] = spaces
  const originPort = await start<number>(far, 'origin')
  const at = await start<{ port: number; pin: string }>(near, 'edge', folder)
  const tunnelPort = await start<number>(far, 'agent', JSON.stringify({ ...at, origin: originPort }))
  const ways = [
    { name: 'a connection each', host: there, port: originPort },
    { name: 'pharos', host: here, port: tunnelPort },
  ]
  const results = ways.map((): Measured[] => [])
  for (let round = 0; round < rounds; round++)
    for (const [index, { host, port }] of ways.entries()) {
      const child = run(near, 'visit', host, String(port), String(seconds), String(downloads))
      const [measured] = (await once(child, 'message')) as [Measured]
      results[index]?.push(measured)
      await pause(1_500) // until what is on its way has gone
    }
  console.log(
    `${downloads} downloads, ${delayMs} ms each way, ${megabits} Mbit/s, ${queueMs} ms of queue, ${lossPercent} % lost:`,
  )
  for (const [index, { name }] of ways.entries()) {
    const of = results[index] ?? []
    const at = (share: number): string => median(of.map(({ small }) => quantile(small, share))).toFixed(0)
    const rates = of.map(({ rate }) => rate)
    const spread = `${Math.min(...rates).toFixed(1)} to ${Math.max(...rates).toFixed(1)}`
    console.log(
      `  ${name.padEnd(18)} small request p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)} ms; ${median(rates).toFixed(1)} MB/s (${spread})`,
    )
  }
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
