/**
 * What HTTP/2 costs through edge and agent (a process each), beside nginx that proxies to the same service on the same machine. The load is
 * h2load (Debian: nghttp2-client) over TLS; the service is a process of its own. Small answers, 64 requests at once over 4 connections.
 * What is compared: HTTP/2 to a service of HTTP/1 (nginx: proxy_pass), and to one of HTTP/2 without TLS (nginx: grpc_pass, which
 * is its only way of speaking HTTP/2 to a service; so both are asked with gRPC's content type there). nginx dials the service directly: it is no reverse tunnel.
 *
 *   node bench/http2.ts [rounds] [seconds per measurement]
 */
import { type ChildProcess, execFile, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttp1Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
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

const token = 'a-token-of-this-benchmark'
/** Of Linux: the unit of /proc. */
const ticksPerSecond = 100
const run = promisify(execFile)

interface Service {
  http1: number
  http2: number
}

interface Way {
  name: string
  /** What h2load is given for a service of HTTP/1, and for one of HTTP/2. */
  http1: string[]
  http2: string[]
  processes: number[]
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'service') await service()
else if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'agent') await agent(JSON.parse(rest[0] ?? '') as Service & { port: number; pin: string })
else await compare(Number(role ?? 3), Number(rest[0] ?? 3))

async function service(): Promise<void> {
  const body = 'x'.repeat(64)
  const http1 = createHttp1Server((_, response) => response.end(body))
  const http2 = createHttp2Server()
  http2.on('stream', (stream) => {
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(body)
  })
  const ports: number[] = []
  for (const server of [http1, http2]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports.push((server.address() as AddressInfo).port)
  }
  process.send?.({ http1: ports[0], http2: ports[1] })
}

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
    certificate: join(folder, 'cert.pem'),
    certificateKey: join(folder, 'key.pem'),
    ports: { first: 29_400, last: 29_499 },
    tokensFile,
  })
  const { httpPort, pin } = await startEdge(config, { log: silentLog })
  process.send?.({ port: httpPort, pin })
}

async function agent({ port, pin, http1, http2 }: Service & { port: number; pin: string }): Promise<void> {
  countBuffersAsHeap()
  let opened = 0
  startAgent({
    edges: [{ host: '127.0.0.1', port, pin }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'web', request: { kind: 'http', name: 'web' }, target: { host: '127.0.0.1', port: http1 } },
      { id: 'api', request: { kind: 'http', name: 'api', http2: true }, target: { host: '127.0.0.1', port: http2 } },
    ],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'refused') throw new Error(event.message)
      if (event.type === 'opened' && ++opened === 2) process.send?.({})
    },
  })
}

async function compare(rounds: number, seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const alternative = 'subjectAltName=DNS:*.bench.localhost'
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', certificate]
  execFileSync('openssl', ['req', '-x509', '-nodes', '-subj', '/CN=bench', '-addext', alternative, ...made], {
    stdio: 'ignore',
  })
  const [, ports] = await child<Service>(stack, 'service')
  const [edgeProcess, site] = await child<{ port: number; pin: string }>(stack, 'edge', folder)
  const [agentProcess] = await child(stack, 'agent', JSON.stringify({ ...site, ...ports }))
  const through = (name: string): string[] => [
    `--connect-to=127.0.0.1:${site.port}`,
    `https://${name}.bench.localhost:${site.port}/`,
  ]
  const ways: Way[] = [
    {
      name: 'Pharos',
      http1: through('web'),
      http2: through('api'),
      processes: [edgeProcess.pid ?? 0, agentProcess.pid ?? 0],
    },
    ...(await startNginx(stack, folder, ports)),
  ]
  for (const kind of ['http1', 'http2'] as const) {
    const results = ways.map(() => ({ perSecond: [] as number[], micros: [] as number[] }))
    // Compiled and connected once, before anything is measured.
    for (const way of ways) await load(way[kind], 1)
    for (let round = 0; round < rounds; round++)
      for (const [index, way] of ways.entries()) {
        const before = cpuSeconds(way.processes)
        const { requests, perSecond } = await load(way[kind], seconds)
        results[index]?.perSecond.push(perSecond)
        results[index]?.micros.push(((cpuSeconds(way.processes) - before) / requests) * 1_000_000)
      }
    console.log(kind === 'http1' ? 'to a service of HTTP/1' : 'gRPC to a service of HTTP/2')
    for (const [index, { name }] of ways.entries()) {
      const { perSecond = [], micros = [] } = results[index] ?? {}
      console.log(`  ${name}: ${median(perSecond).toFixed(0)} requests/s, ${median(micros).toFixed(0)} µs of CPU each`)
    }
  }
}

/** @throws when h2load saw anything but good answers. */
async function load(target: string[], seconds: number): Promise<{ requests: number; perSecond: number }> {
  const grpc = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
  const often = ['-c', '4', '-m', '16', '-t', '1', `--duration=${seconds}`]
  const isGrpc = target.at(-1)?.includes('//api.') === true
  const { stdout } = await run('h2load', [...often, ...(isGrpc ? grpc : []), ...target])
  const [, , succeeded, failed] = /requests: (\d+) total.* (\d+) succeeded, (\d+) failed/.exec(stdout) ?? []
  const perSecond = Number(/finished in .*?, ([\d.]+) req\/s/.exec(stdout)?.[1])
  if (Number(failed) > 0 || !(perSecond > 0)) throw new Error(stdout)
  return { requests: Number(succeeded), perSecond }
}

async function startNginx(stack: AsyncDisposableStack, folder: string, ports: Service): Promise<Way[]> {
  const nginx = '/usr/sbin/nginx'
  if (!existsSync(nginx)) {
    console.log('nginx: left out, it needs the Debian package nginx')
    return []
  }
  const home = join(folder, 'nginx')
  await mkdir(home)
  const port = await freePort()
  const tls = `listen 127.0.0.1:${port} ssl http2; ssl_certificate ${join(folder, 'cert.pem')}; ssl_certificate_key ${join(folder, 'key.pem')};`
  const keep = 'keepalive_requests 1000000000;'
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${home}/${kind};`)
  await writeFile(
    join(home, 'conf'),
    `daemon off; pid ${home}/pid; error_log ${home}/log; worker_processes 1; events { worker_connections 4096; }
    http { access_log off; ${keep} ${temp.join(' ')}
      upstream old { server 127.0.0.1:${ports.http1}; keepalive 64; ${keep} }
      upstream new { server 127.0.0.1:${ports.http2}; keepalive 64; ${keep} }
      server { ${tls} server_name web.bench.localhost;
        location / { proxy_pass http://old; proxy_http_version 1.1; proxy_set_header Connection ""; } }
      server { ${tls} server_name api.bench.localhost; location / { grpc_pass grpc://new; } } }`,
  )
  const server = spawn(nginx, ['-p', home, '-c', join(home, 'conf')], { stdio: ['ignore', 'ignore', 'inherit'] })
  stack.defer(() => void server.kill())
  await reachable(port)
  const to = (name: string): string[] => [`--connect-to=127.0.0.1:${port}`, `https://${name}.bench.localhost:${port}/`]
  return [{ name: 'nginx', http1: to('web'), http2: to('api'), processes: [server.pid ?? 0] }]
}

async function child<Told>(stack: AsyncDisposableStack, ...args: string[]): Promise<[ChildProcess, Told]> {
  const process = fork(import.meta.filename, args)
  stack.defer(() => void process.kill())
  const [told] = await once(process, 'message')
  return [process, told as Told]
}

/** User and system time of these processes and of nginx's workers, which are its children. */
function cpuSeconds(pids: readonly number[]): number {
  const all = pids.flatMap((pid) => [pid, ...children(pid)])
  let ticks = 0
  for (const pid of all) {
    const [, after = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
    const values = after.split(' ').map(Number)
    ticks += (values[11] ?? 0) + (values[12] ?? 0)
  }
  return ticks / ticksPerSecond
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => 'open'),
      once(socket, 'error').then(() => 'refused'),
    ]).catch(() => 'refused')
    socket.destroy()
    if (outcome === 'open') return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}
