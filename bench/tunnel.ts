/**
 * What a tunnel costs: downloads by raw TCP and small HTTP requests, through edge and agent (a process each), directly over
 * loopback, and through `ssh -R` on the same machine; interleaved rounds, medians. Without OpenSSH's server that row is left
 * out, and it says so.
 *
 *   node bench/tunnel.ts [rounds] [seconds per round]
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '../src/agent/index.ts'
import { EdgeConfig } from '../src/edge/config.ts'
import { startEdge } from '../src/edge/edge.ts'
import { silentLog } from '../src/lib/log.ts'
import { Secret } from '../src/lib/secret.ts'
import { makeLoad, median, type Target } from './http-load.ts'

const token = 'a-token-of-this-benchmark'
const streams = 4
const chunk = Buffer.alloc(256 * 1024, 'x')

interface Ports {
  tcp: number
  http: number
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'origin') await origin()
else if (role === 'edge') await edge(rest[0] ?? '')
else if (role === 'agent')
  await agent(JSON.parse(rest[0] ?? '') as { edge: { port: number; pin: string }; origin: Ports })
else if (role === 'load') await makeLoad(JSON.parse(rest[0] ?? '') as Target, Number(rest[1]), { polls: false })
else await compare(Number(role ?? 5), Number(rest[0] ?? 3))

/** Sends without end to whoever connects, and answers small HTTP requests. */
async function origin(): Promise<void> {
  const tcp = createServer((socket) => {
    const fill = (): void => {
      while (socket.write(chunk)) {}
    }
    socket.on('drain', fill).on('error', () => socket.destroy())
    fill()
  })
  const http = createHttpServer((_, response) => response.end('hello, visitor\n'))
  process.send?.({ tcp: await listen(tcp), http: await listen(http) } satisfies Ports)
}

async function edge(folder: string): Promise<void> {
  const tokensFile = join(folder, 'tokens.json')
  await writeFile(tokensFile, JSON.stringify({ [token]: 'bench' }), { mode: 0o600 })
  const { httpPort, pin } = await startEdge(
    EdgeConfig.parse({
      dataDir: join(folder, 'edge'),
      listenHost: '127.0.0.1',
      httpPort: 0,
      host: '127.0.0.1',
      base: 'localhost',
      scheme: 'http',
      ports: { first: 29_400, last: 29_499 },
      tokensFile,
    }),
    { log: silentLog },
  )
  process.send?.({ port: httpPort, pin })
}

async function agent(input: { edge: { port: number; pin: string }; origin: Ports }): Promise<void> {
  const urls: string[] = []
  startAgent({
    edges: [{ host: '127.0.0.1', ...input.edge }],
    credential: () => new Secret(token),
    tunnels: [
      { id: 'tcp', request: { kind: 'tcp', name: 'bulk' }, target: { host: '127.0.0.1', port: input.origin.tcp } },
      { id: 'http', request: { kind: 'http', name: 'web' }, target: { host: '127.0.0.1', port: input.origin.http } },
    ],
    log: silentLog,
    onEvent: (event) => {
      if (event.type === 'refused') throw new Error(event.message)
      if (event.type === 'opened' && urls.push(event.url) === 2) process.send?.(urls)
    },
  })
}

async function compare(rounds: number, seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const start = async <T>(...argv: string[]): Promise<[T, ChildProcess]> => {
    const child = fork(import.meta.filename, argv)
    stack.defer(() => void child.kill('SIGKILL'))
    const [ready] = (await once(child, 'message')) as [T]
    return [ready, child]
  }
  const [direct] = await start<Ports>('origin')
  const [at] = await start<{ port: number; pin: string }>('edge', folder)
  const [urls] = await start<string[]>('agent', JSON.stringify({ edge: at, origin: direct }))
  const tunnelTcp = Number(new URL(urls.find((url) => url.startsWith('tcp:')) ?? '').port)
  const host = new URL(urls.find((url) => url.startsWith('http:')) ?? '').host
  const ways: { name: string; ports: Ports; host: string }[] = [
    { name: 'direct', ports: direct, host: '127.0.0.1' },
    { name: 'pharos', ports: { tcp: tunnelTcp, http: at.port }, host },
  ]
  const ssh = await startSsh(stack, folder, direct)
  if (ssh) ways.push({ name: 'ssh -R', ports: ssh, host: '127.0.0.1' })

  const results = ways.map(() => ({ megabytes: [] as number[], requests: [] as number[] }))
  // The first round only warms up.
  for (let round = -1; round < rounds; round++)
    for (const [index, { ports, host: name }] of ways.entries()) {
      const megabytes = await download(ports.tcp, seconds)
      const requests = await requestsPerSecond(
        { port: ports.http, request: `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n` },
        seconds,
      )
      if (round < 0) continue
      results[index]?.megabytes.push(megabytes)
      results[index]?.requests.push(requests)
    }
  const limit = { megabytes: median(results[0]?.megabytes ?? []), requests: median(results[0]?.requests ?? []) }
  for (const [index, { name }] of ways.entries()) {
    const megabytes = median(results[index]?.megabytes ?? [])
    const requests = median(results[index]?.requests ?? [])
    console.log(
      `${name.padEnd(7)} ${streams} downloads ${megabytes.toFixed(0).padStart(5)} MB/s (${(megabytes / limit.megabytes).toFixed(2)} of direct)   ` +
        `HTTP ${requests.toFixed(0).padStart(6)} requests/s (${(requests / limit.requests).toFixed(2)} of direct)`,
    )
  }
}

/** An OpenSSH server and a client that forwards a port of it back to the origin, with a key made for this run. */
async function startSsh(stack: AsyncDisposableStack, folder: string, origin: Ports): Promise<Ports | null> {
  const sshd = '/usr/sbin/sshd'
  if (!existsSync(sshd) || process.getuid?.() !== 0) {
    console.log('ssh -R: left out, it needs root and the Debian package openssh-server')
    return null
  }
  for (const name of ['host', 'user'])
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  spawnSync('cp', [join(folder, 'user.pub'), join(folder, 'authorized_keys')])
  spawnSync('mkdir', ['-p', '/run/sshd'])
  const port = await freePort()
  const server = spawn(
    sshd,
    [
      '-D',
      '-e',
      '-f',
      '/dev/null',
      '-p',
      String(port),
      '-h',
      join(folder, 'host'),
      '-o',
      'ListenAddress=127.0.0.1',
      '-o',
      'StrictModes=no',
      '-o',
      'UsePAM=no',
      '-o',
      `AuthorizedKeysFile=${join(folder, 'authorized_keys')}`,
      '-o',
      'PermitRootLogin=yes',
      '-o',
      `PidFile=${join(folder, 'sshd.pid')}`,
    ],
    { stdio: 'ignore' },
  )
  stack.defer(() => void server.kill())
  await reachable(port)
  const ports: Ports = { tcp: await freePort(), http: await freePort() }
  const client = spawn(
    'ssh',
    [
      '-N',
      '-p',
      String(port),
      '-i',
      join(folder, 'user'),
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'ExitOnForwardFailure=yes',
      '-R',
      `127.0.0.1:${ports.tcp}:127.0.0.1:${origin.tcp}`,
      '-R',
      `127.0.0.1:${ports.http}:127.0.0.1:${origin.http}`,
      'root@127.0.0.1',
    ],
    { stdio: 'ignore' },
  )
  stack.defer(() => void client.kill())
  await reachable(ports.http)
  return ports
}

async function download(port: number, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000
  const began = performance.now()
  let bytes = 0
  await Promise.all(
    Array.from({ length: streams }, async () => {
      const buffer = Buffer.alloc(256 * 1024)
      const socket = connect({
        port,
        host: '127.0.0.1',
        onread: {
          buffer,
          callback: (read) => {
            bytes += read
            if (performance.now() > until) socket.destroy()
            return true
          },
        },
      })
      await once(socket, 'close')
    }),
  )
  return bytes / 1e6 / ((performance.now() - began) / 1000)
}

async function requestsPerSecond(target: Target, seconds: number): Promise<number> {
  const began = performance.now()
  const load = fork(import.meta.filename, ['load', JSON.stringify(target), String(seconds)])
  const [{ replies }] = (await once(load, 'message')) as [{ replies: number }]
  return replies / ((performance.now() - began) / 1000)
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    )
    socket.destroy()
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}
