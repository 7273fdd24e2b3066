/**
 * How long addresses are away when their edge is killed with -9 and started again at once: until it listens, and until every tunnel
 * has answered a visitor. One agent with all tunnels, or one for each; the edge is a process of its own.
 *
 *   node bench/recovery.ts [tunnels] [agents] [rounds]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '../src/agent/index.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { firstLine } from '../test/children.ts'
import { reservePort } from '../test/ports.ts'

const token = 'a-token-of-this-benchmark'
/** A visitor who finds nobody comes again after this, ms: what is measured is that much too long at most. */
const comeAgainMs = 20

/** So long have links been up when their edge is killed, ms: shorter ones are taken for those of an edge that fails at once. */
const steadyMs = 6_000

const [tunnels = 200, agents = 1, rounds = 3] = process.argv.slice(2).map(Number)
await using stack = new AsyncDisposableStack()
const dataDir = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
stack.defer(() => rm(dataDir, { recursive: true, force: true }))
const tokensFile = join(dataDir, 'tokens.json')
await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
const service = createServer((_, response) => response.end('ok'))
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
stack.defer(() => {
  service.closeAllConnections()
  service.close()
})
const target = { host: '127.0.0.1', port: (service.address() as AddressInfo).port }
const httpPort = await reservePort()
const names = Array.from({ length: tunnels }, (_, index) => `web-${index}`)

let { child, pin } = await startEdge()
stack.defer(() => {
  child.kill('SIGKILL')
})
for (let index = 0; index < agents; index++) {
  const own = names.filter((_, number) => number % agents === index)
  stack.use(
    startAgent({
      edges: [{ host: '127.0.0.1', port: httpPort, pin }],
      credential: () => new Secret(token),
      tunnels: own.map((name) => ({ id: name, request: { kind: 'http', name }, target })),
      log: silentLog,
    }),
  )
}
await allServe()
for (let round = 1; round <= rounds; round++) {
  await new Promise((resolve) => setTimeout(resolve, steadyMs))
  child.kill('SIGKILL')
  await once(child, 'exit')
  const killedAt = performance.now()
  ;({ child, pin } = await startEdge())
  const listensMs = performance.now() - killedAt
  await allServe()
  const servesMs = performance.now() - killedAt
  console.log(
    `round ${round}: ${tunnels} tunnels of ${agents} agents; the edge listens after ${Math.round(listensMs)} ms, all serve after ${Math.round(servesMs)} ms`,
  )
}

async function startEdge(): Promise<{ child: ChildProcess; pin: string }> {
  const started = spawn(process.execPath, [join(import.meta.dirname, '../src/edge/testing/edge-process.ts')], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  started.stdin.end(JSON.stringify({ listenHost: '127.0.0.1', httpPort, dataDir, tokensFile }))
  return { child: started, pin: (JSON.parse(await firstLine(started)) as { pin: string }).pin }
}

/** Resolves once every tunnel has answered a visitor. */
async function allServe(): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      while (!(await serves(name))) await new Promise((resolve) => setTimeout(resolve, comeAgainMs))
    }),
  )
}

function serves(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port: httpPort, headers: { host: `${name}.bench.localhost` }, agent: false },
      (reply) => {
        reply.resume()
        reply.once('close', () => resolve(reply.statusCode === 200))
      },
    )
    asked.once('error', () => resolve(false))
    asked.end()
  })
}
