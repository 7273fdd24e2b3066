/**
 * What an agent of `beam/1` costs the edge, beside one of ours on the same edge: requests, each of which takes a stream and a connection of its own
 * there, and downloads. Edge, agents, load and service have a process each. The agent of `beam/1` is that of the tests, which is slow: what is
 * compared is the CPU time of the edge.
 *
 *   node bench/beam1.ts [rounds] [seconds per measurement]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '../src/agent/index.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { Beam1Peer } from '../test/world/beam1-peer.ts'
import { median } from './http-load.ts'

const token = 'a-token-of-this-benchmark'
const bigBytes = 16 * 1024 * 1024
/** Requests under way at once, and downloads. */
const [requestsAtOnce, downloadsAtOnce] = [32, 4]

interface Site {
  port: number
  pin: string
  service: number
}

interface Load {
  port: number
  host: string
  path: string
  atOnce: number
  seconds: number
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'service') await service()
else if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'ours') ours(JSON.parse(rest[0] ?? '') as Site)
else if (role === 'beam1') await beam1(JSON.parse(rest[0] ?? '') as Site)
else if (role === 'load') load()
else await compare(Number(role ?? 3), Number(rest[0] ?? 3))

async function service(): Promise<void> {
  const [small, big] = [Buffer.alloc(64, 'x'), Buffer.alloc(bigBytes, 'x')]
  const server = createServer((request, response) => response.end(request.url === '/big' ? big : small))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
}

async function edge(folder: string): Promise<void> {
  countBuffersAsHeap()
  const tokensFile = join(folder, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const config = EdgeConfig.parse({
    dataDir: join(folder, 'edge'),
    listenHost: '127.0.0.1',
    httpPort: 0,
    ports: { first: 29_500, last: 29_599 },
    tokensFile,
  })
  const { httpPort, pin } = await startEdge(config, { log: silentLog })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.send?.({ port: httpPort, pin })
}

function ours({ port, pin, service }: Site): void {
  countBuffersAsHeap()
  startAgent({
    edges: [{ host: '127.0.0.1', port, pin }],
    credential: () => new Secret(token),
    tunnels: [{ id: 'ours', request: { kind: 'http', name: 'ours' }, target: { host: '127.0.0.1', port: service } }],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'opened') process.send?.('opened')
    },
  })
}

async function beam1({ port, service }: Site): Promise<void> {
  const peer = await Beam1Peer.dial(port, { rejectUnauthorized: false })
  await peer.hello(token)
  const answer = await peer.register('beam1', service)
  if (answer?.type !== 'registered') throw new Error(JSON.stringify(answer))
  setInterval(() => {
    peer.say({ type: 'heartbeat' })
    // The tests look at them, and nobody else.
    peer.frames.length = 0
  }, 1_000)
  process.send?.('opened')
}

/** Keeps requests under way, and tells how many there were. */
function load(): void {
  process.on('message', async ({ port, host, path, atOnce, seconds }: Load) => {
    const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
    const until = performance.now() + seconds * 1_000
    let answers = 0
    const one = (): Promise<void> =>
      new Promise((resolve, reject) => {
        get({ port, host: '127.0.0.1', path, agent, headers: { Host: host } }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`an answer of ${response.statusCode}`))
          response.resume()
          response.once('end', resolve)
          response.once('error', reject)
        }).once('error', reject)
      })
    const many = async (): Promise<void> => {
      while (performance.now() < until) {
        await one()
        answers += 1
      }
    }
    await Promise.all(Array.from({ length: atOnce }, many))
    agent.destroy()
    process.send?.(answers)
  })
  process.send?.('ready')
}

async function compare(rounds: number, seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const [, service] = await child<number>(stack, 'service')
  const [edgeProcess, site] = await child<Omit<Site, 'service'>>(stack, 'edge', folder)
  for (const agent of ['ours', 'beam1']) await child(stack, agent, JSON.stringify({ ...site, service }))
  const [loadProcess] = await child(stack, 'load')
  const kinds = [
    { what: 'small requests, CPU of the edge in µs each', path: '/', atOnce: requestsAtOnce, unit: 1 },
    { what: 'downloads, CPU of the edge in s/GB', path: '/big', atOnce: downloadsAtOnce, unit: bigBytes / 1_000 },
  ]
  for (const { what, path, atOnce, unit } of kinds) {
    const results = {
      ours: { costs: [] as number[], rates: [] as number[] },
      beam1: { costs: [] as number[], rates: [] as number[] },
    }
    for (let round = -1; round < rounds; round++)
      for (const [name, { costs, rates }] of Object.entries(results)) {
        const before = await ask<number>(edgeProcess, {})
        const wanted: Load = {
          port: site.port,
          host: `${name}.bench.localhost`,
          path,
          atOnce,
          seconds: round < 0 ? 1 : seconds,
        }
        const answers = await ask<number>(loadProcess, wanted)
        const micros = (await ask<number>(edgeProcess, {})) - before
        // The first one compiles what is measured.
        if (round < 0) continue
        costs.push(micros / answers / unit)
        rates.push(answers / seconds)
      }
    const [own, other] = [median(results.ours.costs), median(results.beam1.costs)]
    const rate = ({ rates }: { rates: number[] }): string => `${median(rates).toFixed(1)}/s`
    console.log(
      `${what}: ours ${own.toFixed(2)} (${rate(results.ours)}), beam/1 ${other.toFixed(2)} (${rate(results.beam1)}), ratio ${(other / own).toFixed(2)}`,
    )
  }
}

async function child<Told>(stack: AsyncDisposableStack, ...args: string[]): Promise<[ChildProcess, Told]> {
  const process = fork(import.meta.filename, args)
  stack.defer(() => void process.kill())
  const [told] = await once(process, 'message')
  return [process, told as Told]
}

async function ask<Told>(process: ChildProcess, what: object): Promise<Told> {
  process.send(what)
  const [told] = await once(process, 'message')
  return told as Told
}
