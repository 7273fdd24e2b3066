import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type AgentEvent, startAgent } from '../../src/agent/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { firstLine } from '../children.ts'
import { reservePort } from '../ports.ts'
import { until } from '../world/servers-world.ts'

const token = 'test-token-of-acme-0001'
const edgeProgram = join(import.meta.dirname, '../../src/edge/testing/edge-process.ts')

test('an edge that is killed and started again has the same names and ports, and the agent comes back by itself', async () => {
  await using closer = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'tunnel-test-'))
  closer.defer(() => rm(dataDir, { recursive: true, force: true }))
  const tokensFile = join(dataDir, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'acme' }))
  const service = createServer((request, response) => response.end(`hello ${request.headers['x-forwarded-for']}`))
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    service.closeAllConnections()
    service.close()
  })
  const { port } = service.address() as AddressInfo
  const [httpPort, tcpPort] = [await reservePort(), await reservePort()]
  const config = { listenHost: '127.0.0.1', httpPort, dataDir, tokensFile, ports: { first: tcpPort, last: tcpPort } }

  let edge = await startEdgeProcess(closer, config)
  const events: AgentEvent[] = []
  const agent = startAgent({
    edges: [{ host: '127.0.0.1', port: httpPort, pin: edge.pin }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'web', request: { kind: 'http', name: 'web' }, target: { host: '127.0.0.1', port } },
      { id: 'game', request: { kind: 'tcp', name: 'game' }, target: { host: '127.0.0.1', port } },
    ],
    log: silentLog,
    onEvent: (event) => events.push(event),
  })
  closer.use(agent)
  const urls = (): string[] => events.flatMap((event) => (event.type === 'opened' ? [event.url] : [])).sort()
  await until('both are open', () => urls().length === 2)
  const first = urls()
  assert.deepEqual(first, [`http://web.acme.localhost:${httpPort}`, `tcp://127.0.0.1:${tcpPort}`])
  assert.match(await ask(httpPort, 'web.acme.localhost'), /hello 127\.0\.0\.1$/)
  assert.match(await ask(tcpPort, 'anything'), /hello undefined$/)

  edge.child.kill('SIGKILL')
  await once(edge.child, 'exit')
  edge = await startEdgeProcess(closer, config)
  await until('both are open again', () => urls().length === 4)
  assert.deepEqual([...new Set(urls())], first)
  assert.match(await ask(httpPort, 'web.acme.localhost'), /hello 127\.0\.0\.1$/)
  assert.match(await ask(tcpPort, 'anything'), /hello undefined$/)
})

async function startEdgeProcess(
  closer: AsyncDisposableStack,
  config: object,
): Promise<{ child: ChildProcess; pin: string }> {
  const child = spawn(process.execPath, [edgeProgram], { stdio: ['pipe', 'pipe', 'inherit'] })
  closer.defer(() => {
    child.kill('SIGKILL')
  })
  child.stdin.end(JSON.stringify(config))
  return { child, pin: (JSON.parse(await firstLine(child)) as { pin: string }).pin }
}

/** One HTTP request on a connection of its own; the whole answer. */
function ask(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    )
    let text = ''
    socket.on('data', (part) => {
      text += part
    })
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
}
