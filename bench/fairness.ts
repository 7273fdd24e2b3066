/**
 * What one tenant's load does to another one's small requests on the same edge: tenant B asks for a small answer every few ms, over a
 * kept HTTP connection and over a fresh TCP connection each, while tenant A is idle or at full load (downloads, HTTP
 * requests, connections, a flood of UDP). Edge, both agents and both services are a process each; those of A and of its load have the
 * lowest priority, since elsewhere they would be on other machines. Beside it the same load past the edge, straight to A's service, which
 * shows what the machine alone does to B, and the same through frp when it is on PATH.
 *
 *   node bench/fairness.ts [rounds] [seconds per measurement] [only loads whose name contains this]
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '../src/agent/index.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { median } from './http-load.ts'
import { startFrpOf } from './tunnel-peers.ts'

const tokens = { a: 'the-token-of-tenant-a', b: 'the-token-of-tenant-b' }
const askEveryMs = 5
/** The first requests, which warm the asking process up, do not count. */
const firstAsked = 20
/** Of a flood: sent at once, each time so many ms have passed. */
const [floodDatagrams, floodEveryMs, floodBytes] = [200, 10, 200]

/** In front of A's commands. */
const aside = ['nice', '-n', '19']
const asideFork = { execPath: 'nice', execArgv: ['-n', '19', process.execPath] }

/** Where one tenant's visitors go. */
interface Entrance {
  tcp: number
  http: number
  httpHost: string
  udp: number | null
}

interface Way {
  name: string
  a: Entrance
  b: Entrance
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'agent') await agent(JSON.parse(rest[0] ?? ''))
else if (role === 'ask') await ask(JSON.parse(rest[0] ?? ''), Number(rest[1]))
else if (role === 'flood') flood(Number(rest[0]))
else await compare(Number(role ?? 3), Number(rest[0] ?? 3), rest[1] ?? '')

async function edge(folder: string): Promise<void> {
  countBuffersAsHeap()
  const tokensFile = join(folder, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [tokens.a]: 'acme', [tokens.b]: 'umbrella' }), { mode: 0o600 })
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

async function agent(input: { token: string; port: number; pin: string; origin: number }): Promise<void> {
  countBuffersAsHeap()
  const { token, origin, ...at } = input
  const target = { host: '127.0.0.1', port: origin }
  const urls: string[] = []
  startAgent({
    edges: [{ host: '127.0.0.1', ...at }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'tcp', request: { kind: 'tcp', name: 'raw' }, target },
      { id: 'http', request: { kind: 'http', name: 'web' }, target },
      { id: 'udp', request: { kind: 'udp', name: 'game' }, target },
    ],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'refused') throw new Error(event.message)
      if (event.type !== 'opened' || urls.push(event.url) < 3) return
      const portOf = (scheme: string): number => Number(new URL(urls.find((url) => url.startsWith(scheme)) ?? '').port)
      const { host } = new URL(urls.find((url) => url.startsWith('http:')) ?? '')
      process.send?.({ tcp: portOf('tcp:'), http: at.port, httpHost: host, udp: portOf('udp:') } satisfies Entrance)
    },
  })
}

/** Tells how long each small request took, ms. */
async function ask(to: Entrance, seconds: number): Promise<void> {
  const kept: number[] = []
  const fresh: number[] = []
  const keeping = connect({ port: to.http, host: '127.0.0.1', noDelay: true })
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    let asked = performance.now()
    keeping.write(`GET / HTTP/1.1\r\nHost: ${to.httpHost}\r\n\r\n`)
    await once(keeping, 'data')
    kept.push(performance.now() - asked)
    await pause(askEveryMs)
    asked = performance.now()
    const socket = connect({ port: to.tcp, host: '127.0.0.1', noDelay: true })
    socket.write('E')
    await once(socket, 'data')
    fresh.push(performance.now() - asked)
    socket.destroy()
    await pause(askEveryMs)
  }
  process.send?.({ kept: kept.slice(firstAsked), fresh: fresh.slice(firstAsked) }, () => process.exit())
}

/** Sends datagrams until it is ended. */
function flood(port: number): void {
  const socket = createSocket('udp4')
  const payload = Buffer.alloc(floodBytes, 'x')
  socket.connect(port, '127.0.0.1', () =>
    setInterval(() => {
      for (let sent = 0; sent < floodDatagrams; sent++) socket.send(payload)
    }, floodEveryMs),
  )
  socket.on('error', () => undefined)
}

async function compare(rounds: number, seconds: number, only: string): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'tunnel-load')
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'tunnel-load.c')])
  const origin = async (before: string[]): Promise<number> => {
    const [command = program, ...argv] = [...before, program, 'origin']
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    stack.defer(() => void child.kill())
    const [line] = await once(child.stdout, 'data')
    return Number(line)
  }
  const origins = { a: await origin(aside), b: await origin([]) }
  const pharos = await startPharos(stack, folder, origins)
  const past: Entrance = { tcp: origins.a, http: origins.a, httpHost: '127.0.0.1', udp: null }
  const ways: Way[] = [pharos, { name: 'load past the edge', a: past, b: pharos.b }]
  const frp = await startFrpOf({ stack, folder, originPorts: [origins.a, origins.b], run: [aside, []] })
  if (frp) {
    const [a, b] = frp.ports.map((port): Entrance => ({ tcp: port, http: port, httpHost: '127.0.0.1', udp: null }))
    if (a && b) ways.push({ name: frp.name, a, b })
  }

  const during = String(Math.ceil(seconds + 2))
  const load = (...argv: string[]): ChildProcess => spawn('nice', [...aside.slice(1), ...argv])
  const download = ({ tcp }: Entrance) => load(program, 'download', String(tcp), '16', during)
  const requests = ({ http, httpHost }: Entrance) =>
    load('wrk', '-t1', '-c64', `-d${during}s`, '-H', `Host: ${httpHost}`, `http://127.0.0.1:${http}/`)
  const connections = ({ tcp }: Entrance) => load(program, 'connect', String(tcp), '32', during)
  const datagrams = ({ udp }: Entrance) =>
    udp === null ? [] : [fork(import.meta.filename, ['flood', String(udp)], asideFork)]
  const loads: { name: string; start(entrance: Entrance): ChildProcess[] }[] = [
    { name: 'idle', start: () => [] },
    { name: '16 downloads', start: (to) => [download(to)] },
    { name: '64 HTTP', start: (to) => [requests(to)] },
    { name: 'downloads and HTTP', start: (to) => [download(to), requests(to)] },
    { name: 'connections', start: (to) => [connections(to)] },
    { name: 'UDP flood', start: datagrams },
    {
      name: 'everything',
      start: (to) => [download(to), requests(to), connections(to), ...datagrams(to)],
    },
  ]
  for (const { name, start } of loads.filter((load) => load.name.includes(only))) {
    const results = ways.map((): { kept: number[]; fresh: number[]; load: string }[] => [])
    for (let round = 0; round < rounds; round++)
      for (const [index, way] of ways.entries()) {
        const children = start(way.a)
        const said = children.map((child) => saidBy(child))
        if (children.length > 0) await pause(1_000) // until windows have grown
        const asker = fork(import.meta.filename, ['ask', JSON.stringify(way.b), String(seconds)])
        const [measured] = (await once(asker, 'message')) as [{ kept: number[]; fresh: number[] }]
        await Promise.all(children.map((child) => ended(child)))
        results[index]?.push({ ...measured, load: (await Promise.all(said)).join(' ') })
      }
    console.log(`tenant A: ${name}`)
    for (const [index, way] of ways.entries()) {
      const of = results[index] ?? []
      const at = (kind: 'kept' | 'fresh', share: number): string =>
        median(of.map((one) => quantile(one[kind], share))).toFixed(2)
      console.log(
        `  ${way.name.padEnd(20)} kept HTTP p50 ${at('kept', 0.5)} p99 ${at('kept', 0.99)} ms, fresh TCP p50 ${at('fresh', 0.5)} p99 ${at('fresh', 0.99)} ms; load: ${of.map(({ load }) => load).join(' | ')}`,
      )
    }
  }
}

async function startPharos(
  stack: AsyncDisposableStack,
  folder: string,
  origins: { a: number; b: number },
): Promise<Way> {
  const start = async <T>(options: object, ...argv: string[]): Promise<T> => {
    const child = fork(import.meta.filename, argv, options)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return ready
  }
  const at = await start<{ port: number; pin: string }>({}, 'edge', folder)
  const [a, b] = await Promise.all(
    (['a', 'b'] as const).map((tenant) =>
      start<Entrance>(
        tenant === 'a' ? asideFork : {},
        'agent',
        JSON.stringify({ token: tokens[tenant], ...at, origin: origins[tenant] }),
      ),
    ),
  )
  if (!a || !b) throw new Error('both agents have answered')
  return { name: 'Pharos', a, b }
}

/** The rate that a load has told at its end. */
async function saidBy(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) text += String(chunk)
  const requests = /Requests\/sec:\s+(\d+)/.exec(text)?.[1]
  if (requests) return `${requests} requests/s`
  const rate = Number(text)
  return rate > 1e6 ? `${(rate / 1e6).toFixed(0)} MB/s` : rate > 0 ? `${rate} connections/s` : ''
}

/** A flood has no end of its own. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.channel) child.kill()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
