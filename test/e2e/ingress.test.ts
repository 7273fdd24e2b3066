import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startAgent, type WantedTunnel } from '../../src/agent/index.ts'
import { acmeToken, endpointOf, eventually, type TestEdge, tempFolder, testEdge } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { loadIdentity } from '../../src/link/index.ts'
import { reservePort } from '../ports.ts'

/** Real programs through a real edge and agent: what a person would try by hand. */

/** Skips without one of these programs; under CI=true that is a failure. */
function needs(t: TestContext, programs: Record<string, string>): boolean {
  for (const [program, debian] of Object.entries(programs)) {
    if (existsSync(program) || (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program))))
      continue
    if (process.env.CI === 'true') throw new Error(`${program} is not installed`)
    t.skip(`${program} is not installed: ${debian}`)
    return false
  }
  return true
}

/** An agent with these tunnels on the edge; resolves to their addresses once all are open. */
async function openTunnels(
  closer: AsyncDisposableStack,
  edge: TestEdge,
  tunnels: WantedTunnel[],
): Promise<Map<string, string>> {
  const urls = new Map<string, string>()
  closer.use(
    startAgent({
      edges: [endpointOf(edge)],
      credential: () => new Secret(acmeToken),
      tunnels,
      log: silentLog,
      onEvent: (event) => {
        if (event.type === 'opened') urls.set(event.id, event.url)
        if (event.type === 'refused') urls.set(event.id, event.message)
      },
    }),
  )
  await eventually(() => urls.size === tunnels.length, 'the tunnels are open')
  return urls
}

interface Program {
  child: ChildProcess
  output(): string
  /** Resolves once the output has these words; rejects with it when the program has ended before. */
  says(words: string): Promise<void>
}

function start(
  closer: AsyncDisposableStack,
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Program {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, ...options.env },
  })
  let output = ''
  const checks = new Set<() => void>()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const check of checks) check()
    })
  child.stdin.on('error', () => undefined)
  closer.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    output: () => output,
    says: (words) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!output.includes(words)) return
          checks.delete(check)
          resolve()
        }
        checks.add(check)
        check()
        void ended.then(() => reject(new Error(`${program} ended and never said ${JSON.stringify(words)}:\n${output}`)))
      }),
  }
}

/** Runs to its end. */
async function run(
  closer: AsyncDisposableStack,
  program: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const running = start(closer, program, args)
  running.child.stdin?.end()
  const code = await new Promise<number | null>((resolve) => running.child.once('close', resolve))
  return { code, output: running.output() }
}

test('curl and openssl speak TLS with the service that the name leads to', async (t) => {
  if (!needs(t, { curl: 'apt-get install curl', openssl: 'apt-get install openssl' })) return
  await using closer = new AsyncDisposableStack()
  const { key, certificate } = await loadIdentity(join(await tempFolder(closer), 'service'))
  const service = createHttpsServer({ key: key.reveal(), cert: certificate }, (request, response) =>
    response.end(`secure ${request.url} for ${request.headers.host?.split(':')[0]}`),
  )
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    service.closeAllConnections()
    service.close()
  })
  const edge = await testEdge(closer)
  const { port } = service.address() as AddressInfo
  await openTunnels(closer, edge, [
    { id: 'mail', request: { kind: 'tls', name: 'mail' }, target: { host: '127.0.0.1', port } },
  ])
  const name = 'mail.acme.localhost'
  const curl = await run(closer, 'curl', [
    ...['--silent', '--show-error', '--insecure', '--noproxy', '*'],
    ...['--resolve', `${name}:${edge.httpPort}:127.0.0.1`, `https://${name}:${edge.httpPort}/path`],
  ])
  assert.deepEqual(curl, { code: 0, output: `secure /path for ${name}` })
  const connect = ['s_client', '-connect', `127.0.0.1:${edge.httpPort}`, '-servername']
  const known = await run(closer, 'openssl', [...connect, name])
  assert.match(known.output, /BEGIN CERTIFICATE/)
  const unknown = await run(closer, 'openssl', [...connect, 'nobody.acme.localhost'])
  assert.match(unknown.output, /unrecognized name/)
})

test('iperf3 measures TCP and UDP through one port, as a server’s port has both', async (t) => {
  if (!needs(t, { iperf3: 'apt-get install iperf3' })) return
  await using closer = new AsyncDisposableStack()
  const local = await reservePort()
  const server = start(closer, 'iperf3', ['--server', '--bind', '127.0.0.1', '--port', String(local), '--forceflush'])
  await server.says('Server listening on')
  const edge = await testEdge(closer)
  const urls = await openTunnels(closer, edge, [
    { id: 'speed', request: { kind: 'tcp+udp', name: 'speed' }, target: { host: '127.0.0.1', port: local } },
  ])
  const { port } = new URL(urls.get('speed') ?? '')
  const client = ['--client', '127.0.0.1', '--port', port, '--json']
  // It stops counting when the sender is done, over another connection: what is still on its way then does not count.
  const tcp = await run(closer, 'iperf3', [...client, '--bytes', '20M'])
  assert.ok(JSON.parse(tcp.output).end.sum_received.bytes > 0, tcp.output)
  const udp = await run(closer, 'iperf3', [
    ...client,
    '--udp',
    '--bitrate',
    '2M',
    '--length',
    '1200',
    '--bytes',
    '200K',
  ])
  const { packets, lost_packets: lost } = JSON.parse(udp.output).end.sum
  // How many arrive is a matter of the machine.
  assert.ok(packets > 100 && lost < packets, udp.output)
})

test('a Luanti server answers a real question over UDP', async (t) => {
  const program = '/usr/games/minetestserver'
  if (!needs(t, { [program]: 'apt-get install minetest-server' })) return
  await using closer = new AsyncDisposableStack()
  const folder = await tempFolder(closer)
  await mkdir(join(folder, 'world'))
  await writeFile(join(folder, 'minetest.conf'), 'server_announce = false\nbind_address = 127.0.0.1\nname = admin\n')
  const local = await reservePort()
  const server = start(
    closer,
    program,
    [
      ...['--port', String(local), '--gameid', 'minetest', '--world', join(folder, 'world')],
      ...['--config', join(folder, 'minetest.conf'), '--logfile', join(folder, 'debug.txt')],
    ],
    { cwd: folder, env: { HOME: folder } },
  )
  await server.says(`listening on 127.0.0.1:${local}`)
  const edge = await testEdge(closer)
  const urls = await openTunnels(closer, edge, [
    { id: 'game', request: { kind: 'udp', name: 'game' }, target: { host: '127.0.0.1', port: local } },
  ])
  const port = Number(/^udp:\/\/127\.0\.0\.1:(\d+)$/.exec(urls.get('game') ?? '')?.[1])
  const socket = createSocket('udp4')
  closer.defer(() => {
    socket.close()
  })
  const answers: Buffer[] = []
  socket.on('message', (payload) => answers.push(payload))
  // A client's first packet: protocol id, nobody yet, channel 0, reliable, and nothing inside.
  const hello = Buffer.from('4f45740300000003ffdc01', 'hex')
  await eventually(async () => {
    socket.send(hello, port, '127.0.0.1')
    await new Promise((resolve) => setTimeout(resolve, 50))
    return answers.length > 0
  }, 'the server answers')
  assert.equal(answers[0]?.subarray(0, 4).toString('hex'), '4f457403')
})
