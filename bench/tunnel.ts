/**
 * What a tunnel costs: through edge and agent (a process each), directly over loopback, and through what else is installed on the
 * same machine, in interleaved rounds; medians and their ratios to direct. Load and service are `tunnel-load.c`, compiled in a
 * temporary folder, and wrk. CPU is that of both ends of a way, their children included.
 *
 *   node bench/tunnel.ts [rounds] [seconds per measurement] [part of the name of what to measure]
 */
import { type ChildProcess, execFile, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAgent } from '../src/agent/index.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { median } from './http-load.ts'
import { startPeers, type Way } from './tunnel-peers.ts'

const token = 'a-token-of-this-benchmark'
/** Of Linux: the unit of /proc. */
const ticksPerSecond = 100
const run = promisify(execFile)

const [role, ...rest] = process.argv.slice(2)
if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'agent') await agent(JSON.parse(rest[0] ?? '') as { port: number; pin: string; origin: number })
else await compare(Number(role ?? 3), Number(rest[0] ?? 2), rest[1] ?? '')

async function edge(folder: string): Promise<void> {
  countBuffersAsHeap()
  const tokensFile = join(folder, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const config = EdgeConfig.parse({
    dataDir: join(folder, 'edge'),
    listenHost: '127.0.0.1',
    httpPort: 0,
    host: '127.0.0.1',
    base: 'localhost',
    scheme: 'http',
    ports: { first: 29_400, last: 29_499 },
    tokensFile,
  })
  const { httpPort, pin } = await startEdge(config, { log: silentLog })
  process.send?.({ port: httpPort, pin })
}

async function agent({ port, pin, origin }: { port: number; pin: string; origin: number }): Promise<void> {
  countBuffersAsHeap()
  const urls: string[] = []
  const target = { host: '127.0.0.1', port: origin }
  startAgent({
    edges: [{ host: '127.0.0.1', port, pin }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'tcp', request: { kind: 'tcp', name: 'bulk' }, target },
      { id: 'http', request: { kind: 'http', name: 'web' }, target },
    ],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'refused') throw new Error(event.message)
      if (event.type === 'opened' && urls.push(event.url) === 2) process.send?.(urls)
    },
  })
}

async function compare(rounds: number, seconds: number, part: string): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'tunnel-load')
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'tunnel-load.c')])
  const origin = spawn(program, ['origin'], { stdio: ['ignore', 'pipe', 'inherit'] })
  stack.defer(() => void origin.kill())
  const [line] = await once(origin.stdout, 'data')
  const originPort = Number(line)
  const direct: Way = { name: 'direct', tcp: originPort, http: originPort, httpHost: '127.0.0.1', processes: [] }
  const ways = [
    direct,
    await startPharos(stack, folder, originPort),
    ...(await startPeers({ stack, folder, originPort })),
  ]

  const load = async (...argv: (string | number)[]): Promise<number> =>
    Number((await run(program, argv.map(String))).stdout)
  const measurements: { name: string; unit: 'MB/s' | '1/s'; measure(way: Way): Promise<number> }[] = [
    { name: '1 download', unit: 'MB/s', measure: async ({ tcp }) => (await load('download', tcp, 1, seconds)) / 1e6 },
    {
      name: '16 downloads',
      unit: 'MB/s',
      measure: async ({ tcp }) => (await load('download', tcp, 16, seconds)) / 1e6,
    },
    { name: 'connections, 32 at once', unit: '1/s', measure: ({ tcp }) => load('connect', tcp, 32, seconds) },
    { name: 'echoes, 64 connections', unit: '1/s', measure: ({ tcp }) => load('echo', tcp, 64, seconds) },
    { name: 'HTTP requests, 64 connections', unit: '1/s', measure: (way) => httpRequests(way, seconds) },
  ]
  for (const { name, unit, measure } of measurements.filter((one) => one.name.includes(part))) {
    const results = ways.map((): { rate: number; cpu: number }[] => [])
    // The first round only warms up.
    for (let round = -1; round < rounds; round++)
      for (const [index, way] of ways.entries()) {
        const [before, begun] = [cpuSeconds(way.processes), performance.now()]
        const rate = await measure(way)
        const cpu = (cpuSeconds(way.processes) - before) / ((performance.now() - begun) / 1000)
        if (round >= 0) results[index]?.push({ rate, cpu })
      }
    const limit = median((results[0] ?? []).map(({ rate }) => rate))
    console.log(`${name}:`)
    for (const [index, way] of ways.entries()) {
      const of = results[index] ?? []
      const rate = median(of.map((one) => one.rate))
      const each = median(of.map((one) => one.cpu / one.rate))
      const cost = unit === 'MB/s' ? `${(each * 1000).toFixed(2)} CPU s/GB` : `${(each * 1e6).toFixed(0)} µs CPU each`
      const rates = of.map((one) => one.rate.toFixed(0))
      console.log(
        `  ${way.name.padEnd(20)} ${rate.toFixed(0).padStart(7)} ${unit} (${(rate / limit).toFixed(3)} of direct)` +
          `${way.processes.length > 0 ? `, ${cost}` : ''}  [${rates.join(' ')}]`,
      )
    }
  }
}

async function startPharos(stack: AsyncDisposableStack, folder: string, origin: number): Promise<Way> {
  const start = async <T>(...argv: string[]): Promise<[T, ChildProcess]> => {
    const child = fork(import.meta.filename, argv)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return [ready, child]
  }
  const [at, edgeProcess] = await start<{ port: number; pin: string }>('edge', folder)
  const [urls, agentProcess] = await start<string[]>('agent', JSON.stringify({ ...at, origin }))
  const tcp = Number(new URL(urls.find((url) => url.startsWith('tcp:')) ?? '').port)
  const { host } = new URL(urls.find((url) => url.startsWith('http:')) ?? '')
  const processes = [edgeProcess.pid ?? 0, agentProcess.pid ?? 0]
  return { name: 'pharos', tcp, http: at.port, httpHost: host, processes }
}

async function httpRequests({ http, httpHost }: Way, seconds: number): Promise<number> {
  const argv = ['-t1', '-c64', `-d${seconds}s`, '-H', `Host: ${httpHost}`, `http://127.0.0.1:${http}/`]
  const { stdout } = await run('wrk', argv)
  if (stdout.includes('Non-2xx')) throw new Error(`requests failed: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

/** User and system time of these processes and of all below them. */
function cpuSeconds(roots: number[]): number {
  if (roots.length === 0) return 0
  const children = new Map<number, number[]>()
  const ticks = new Map<number, number>()
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(entry)
    if (!stat) continue
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks.set(Number(entry), Number(fields[11]) + Number(fields[12]))
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const sum = (pid: number): number =>
    (children.get(pid) ?? []).reduce((total, below) => total + sum(below), ticks.get(pid) ?? 0)
  return roots.reduce((total, root) => total + sum(root), 0) / ticksPerSecond
}

function statOf(pid: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null // it has ended meanwhile
  }
}
