/**
 * What a tunnel adds to UDP: how long a packet of 200 bytes takes to a service and back, at the rate of 64 players who send 60
 * a second, and at more; directly, through edge and agent (a process each) over the sealed path, over the link's connection
 * alone, and through frp when it is on PATH. Interleaved rounds, medians. Needs gcc for its load.
 *
 *   node bench/udp.ts [rounds] [seconds per round]
 */
import { type ChildProcess, execFile, execFileSync, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAgent } from '../src/agent/index.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { median } from './http-load.ts'

const token = 'a-token-of-this-benchmark'
const packetBytes = 200
const players = 64
/** The same in each round, so that a player is one flow for a tunnel, and not a new one each time. */
const firstPlayerPort = 28_000
const run = promisify(execFile)
const rates = [3_840, 16_000, 32_000]

interface EdgeInput {
  folder: string
  linkUdpPort: 'same' | 'none'
  firstPort: number
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'edge') await edge(JSON.parse(rest[0] ?? '') as EdgeInput)
else if (role === 'agent')
  await agent(JSON.parse(rest[0] ?? '') as { edge: { port: number; pin: string }; service: number })
else await compare(Number(role ?? 5), Number(rest[0] ?? 3))

async function edge({ folder, linkUdpPort, firstPort }: EdgeInput): Promise<void> {
  const tokensFile = join(folder, `${firstPort}.json`)
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const { httpPort, pin } = await startEdge(
    EdgeConfig.parse({
      dataDir: join(folder, `edge-${firstPort}`),
      listenHost: '127.0.0.1',
      httpPort: 0,
      linkUdpPort,
      ports: { first: firstPort, last: firstPort + 9 },
      tokensFile,
    }),
    { log: silentLog },
  )
  process.send?.({ port: httpPort, pin })
}

async function agent(input: { edge: { port: number; pin: string }; service: number }): Promise<void> {
  startAgent({
    edges: [{ host: '127.0.0.1', ...input.edge }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'game', request: { kind: 'udp', name: 'game' }, target: { host: '127.0.0.1', port: input.service } },
    ],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'refused') throw new Error(event.message)
      if (event.type === 'opened') process.send?.(Number(new URL(event.url).port))
    },
  })
}

async function compare(rounds: number, seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'udp')
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'udp.c')])
  const echo = spawn(program, ['echo'], { stdio: ['ignore', 'pipe', 'inherit'] })
  stack.defer(() => void echo.kill())
  const [said] = (await once(echo.stdout, 'data')) as [Buffer]
  const service = Number(said.toString())

  const start = async <T>(...argv: string[]): Promise<T> => {
    const child = fork(import.meta.filename, argv)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return ready
  }
  const tunnel = async (linkUdpPort: EdgeInput['linkUdpPort'], firstPort: number): Promise<number> => {
    const input: EdgeInput = { folder, linkUdpPort, firstPort }
    const at = await start<{ port: number; pin: string }>('edge', JSON.stringify(input))
    return start<number>('agent', JSON.stringify({ edge: at, service }))
  }
  const ways = [
    { name: 'direct', port: service },
    { name: 'Pharos, sealed path', port: await tunnel('same', 29_300) },
    { name: 'Pharos, in the link', port: await tunnel('none', 29_320) },
  ]
  const frp = await startFrp(stack, folder, service)
  if (frp) ways.push({ name: 'frp', port: frp })

  for (const rate of rates) {
    const results = ways.map(() => ({ p50: [] as number[], p99: [] as number[], lost: [] as number[] }))
    for (let round = 0; round < rounds; round++)
      for (const [index, { port }] of ways.entries()) {
        const { stdout } = await run(program, [
          'load',
          ...[port, rate, seconds, packetBytes, players, firstPlayerPort].map(String),
        ])
        const [sent = 0, received = 0, p50 = 0, p99 = 0] = stdout.split(' ').map(Number)
        results[index]?.p50.push(p50)
        results[index]?.p99.push(p99)
        results[index]?.lost.push((100 * (sent - received)) / sent)
      }
    console.log(`${rate} packets a second`)
    for (const [index, { name }] of ways.entries()) {
      const { p50, p99, lost } = results[index] ?? { p50: [], p99: [], lost: [] }
      const over = median(p50) - median(results[0]?.p50 ?? [])
      console.log(
        `  ${name.padEnd(20)} p50 ${median(p50)} µs (direct + ${over})   p99 ${median(p99)} µs   lost ${median(lost).toFixed(2)} % (most ${Math.max(...lost).toFixed(2)})`,
      )
    }
  }
}

/** An frp server and client with one UDP proxy, TLS between them as is their default. */
async function startFrp(stack: AsyncDisposableStack, folder: string, service: number): Promise<number | null> {
  if (spawnSync('frps', ['--version']).error || spawnSync('frpc', ['--version']).error) {
    console.log('frp: left out, frps and frpc are not on PATH')
    return null
  }
  const [server, client] = [join(folder, 'frps.toml'), join(folder, 'frpc.toml')]
  await writeFile(server, 'bindAddr = "127.0.0.1"\nbindPort = 29340\nproxyBindAddr = "127.0.0.1"\n')
  await writeFile(
    client,
    `serverAddr = "127.0.0.1"\nserverPort = 29340\nloginFailExit = false\n[[proxies]]\nname = "game"\ntype = "udp"\nlocalIP = "127.0.0.1"\nlocalPort = ${service}\nremotePort = 29341\n`,
  )
  const begin = (name: string, config: string): ChildProcess => {
    const child = spawn(name, ['-c', config], { stdio: ['ignore', 'pipe', 'inherit'] })
    stack.defer(() => void child.kill())
    return child
  }
  begin('frps', server)
  const output = begin('frpc', client).stdout
  let text = ''
  while (!text.includes('start proxy success')) {
    const [piece] = output ? ((await once(output, 'data')) as [Buffer]) : []
    text += piece?.toString() ?? ''
  }
  output?.resume()
  return 29_341
}
