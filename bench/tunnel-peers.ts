import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'

/** A way from a visitor to the service: what listens for visitors, and the processes whose CPU time it costs. */
export interface Way {
  name: string
  /** Raw TCP. */
  tcp: number
  http: number
  httpHost: string
  processes: number[]
}

/** Where a peer is started, and who ends it. */
export interface PeerSite {
  stack: AsyncDisposableStack
  folder: string
  originPort: number
}

/** Every other way that is installed here; says which is not. */
export async function startPeers(site: PeerSite): Promise<Way[]> {
  const ways: Way[] = []
  for (const start of [startNginx, startHaproxy, startSsh, startFrp, startChisel, startRathole]) {
    const way = await start(site)
    if (way) ways.push(way)
  }
  return ways
}

/** Two hops with TLS 1.3 between them: what a proxy does that may dial the service directly. Not a reverse tunnel. */
async function startNginx({ stack, folder, originPort }: PeerSite): Promise<Way | null> {
  const nginx = '/usr/sbin/nginx'
  const stream = '/usr/lib/nginx/modules/ngx_stream_module.so'
  if (!existsSync(nginx) || !existsSync(stream)) return leftOut('nginx, two hops', 'nginx and libnginx-mod-stream')
  const [outer, inner] = [await freePort(), await freePort()]
  const tls = makeCertificate(folder)
  const start = (name: string, server: string): number => {
    const home = join(folder, `nginx-${name}`)
    mkdirSync(home)
    const common = `load_module ${stream}; daemon off; pid ${home}/pid; error_log ${home}/log; worker_processes 1; events { worker_connections 20000; }`
    writeFileSync(join(home, 'conf'), `${common} stream { ${server} }`)
    return child(stack, nginx, ['-p', home, '-c', join(home, 'conf')]).pid ?? 0
  }
  const processes = [
    start(
      'outer',
      `server { listen 127.0.0.1:${outer}; proxy_pass 127.0.0.1:${inner}; proxy_ssl on; proxy_ssl_protocols TLSv1.3; }`,
    ),
    start(
      'inner',
      `server { listen 127.0.0.1:${inner} ssl; ssl_protocols TLSv1.3; ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; proxy_pass 127.0.0.1:${originPort}; }`,
    ),
  ]
  await reachable(outer)
  return { name: 'nginx, two hops', tcp: outer, http: outer, httpHost: '127.0.0.1', processes }
}

/** The same by HAProxy. Not a reverse tunnel either. */
async function startHaproxy({ stack, folder, originPort }: PeerSite): Promise<Way | null> {
  if (!installed('haproxy')) return leftOut('HAProxy, two hops', 'haproxy')
  const [outer, inner] = [await freePort(), await freePort()]
  const home = join(folder, 'haproxy')
  mkdirSync(home)
  const { certificate, key } = makeCertificate(home)
  // It wants both in one file.
  writeFileSync(join(home, 'both.pem'), readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
  const start = (name: string, bind: string, server: string): number => {
    const common = 'global\n  nbthread 1\ndefaults\n  mode tcp\n'
    const times = '  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n'
    writeFileSync(
      join(home, `${name}.cfg`),
      `${common}${times}listen b\n  bind 127.0.0.1:${bind}\n  server s 127.0.0.1:${server}\n`,
    )
    return child(stack, 'haproxy', ['-db', '-f', join(home, `${name}.cfg`)]).pid ?? 0
  }
  const processes = [
    start('inner', `${inner} ssl crt ${join(home, 'both.pem')} ssl-min-ver TLSv1.3`, String(originPort)),
    start('outer', String(outer), `${inner} ssl verify none ssl-min-ver TLSv1.3`),
  ]
  await reachable(inner)
  await reachable(outer)
  return { name: 'HAProxy, two hops', tcp: outer, http: outer, httpHost: '127.0.0.1', processes }
}

async function startSsh({ stack, folder, originPort }: PeerSite): Promise<Way | null> {
  const sshd = '/usr/sbin/sshd'
  if (!existsSync(sshd) || process.getuid?.() !== 0) return leftOut('ssh -R', 'openssh-server, and root')
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  writeFileSync(join(folder, 'authorized_keys'), execFileSync('ssh-keygen', ['-y', '-f', join(folder, 'user')]))
  mkdirSync('/run/sshd', { recursive: true })
  const port = await freePort()
  const set = (options: Record<string, string>): string[] =>
    Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const server = child(stack, sshd, [
    '-D',
    '-f',
    '/dev/null',
    '-p',
    String(port),
    '-h',
    join(folder, 'host'),
    ...set({
      ListenAddress: '127.0.0.1',
      StrictModes: 'no',
      UsePAM: 'no',
      AuthorizedKeysFile: join(folder, 'authorized_keys'),
      PermitRootLogin: 'yes',
      PidFile: join(folder, 'sshd.pid'),
    }),
  ])
  await reachable(port)
  const open = await freePort()
  const client = child(stack, 'ssh', [
    '-N',
    '-c',
    'aes256-gcm@openssh.com',
    '-p',
    String(port),
    '-i',
    join(folder, 'user'),
    ...set({
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      ExitOnForwardFailure: 'yes',
      LogLevel: 'ERROR',
    }),
    '-R',
    `127.0.0.1:${open}:127.0.0.1:${originPort}`,
    'root@127.0.0.1',
  ])
  await reachable(open)
  return plain('ssh -R, aes256-gcm', open, [server, client])
}

async function startFrp({ stack, folder, originPort }: PeerSite): Promise<Way | null> {
  const frp = await startFrpOf({ stack, folder, originPorts: [originPort] })
  return frp && plain(frp.name, frp.ports[0] ?? 0, frp.processes)
}

/** One server of frp, and a client of its own for each service, which begins with the words of `run`. Ports are in the services' order. */
export async function startFrpOf({
  stack,
  folder,
  originPorts,
  run = [],
}: Omit<PeerSite, 'originPort'> & { originPorts: number[]; run?: string[][] }): Promise<{
  name: string
  ports: number[]
  processes: ChildProcess[]
} | null> {
  if (!installed('frps') || !installed('frpc')) return leftOut('frp', 'frps and frpc on PATH')
  const port = await freePort()
  writeFileSync(join(folder, 'frps.toml'), `bindAddr = "127.0.0.1"\nbindPort = ${port}\nlog.level = "error"\n`)
  const processes = [child(stack, 'frps', ['-c', join(folder, 'frps.toml')])]
  await reachable(port)
  const ports: number[] = []
  for (const [index, originPort] of originPorts.entries()) {
    const open = await freePort()
    const file = join(folder, `frpc-${open}.toml`)
    writeFileSync(
      file,
      `serverAddr = "127.0.0.1"\nserverPort = ${port}\nlog.level = "error"\n[[proxies]]\nname = "${open}"\ntype = "tcp"\nlocalIP = "127.0.0.1"\nlocalPort = ${originPort}\nremotePort = ${open}\n`,
    )
    const [command = 'frpc', ...argv] = [...(run[index] ?? []), 'frpc', '-c', file]
    processes.push(child(stack, command, argv))
    await reachable(open)
    ports.push(open)
  }
  return { name: `frp ${versionOf('frps')}`, ports, processes }
}

async function startChisel({ stack, originPort }: PeerSite): Promise<Way | null> {
  if (!installed('chisel')) return leftOut('chisel', 'chisel on PATH')
  const [port, open] = [await freePort(), await freePort()]
  const server = child(stack, 'chisel', ['server', '--host', '127.0.0.1', '--port', String(port), '--reverse'])
  await reachable(port)
  const client = child(stack, 'chisel', [
    'client',
    `http://127.0.0.1:${port}`,
    `R:127.0.0.1:${open}:127.0.0.1:${originPort}`,
  ])
  await reachable(open)
  return plain('chisel', open, [server, client])
}

async function startRathole({ stack, folder, originPort }: PeerSite): Promise<Way | null> {
  if (!installed('rathole')) return leftOut('rathole', 'rathole on PATH')
  const [port, open] = [await freePort(), await freePort()]
  const service = '[TYPE.services.b]\ntoken = "a-token-of-this-benchmark"\n'
  const noise = '[TYPE.transport]\ntype = "noise"\n'
  const keys = execFileSync('rathole', ['--genkey']).toString().split('\n')
  const file = (type: 'server' | 'client', head: string, key: string, tail: string): string => {
    const path = join(folder, `rathole-${type}.toml`)
    const text = `[TYPE]\n${head}\n${noise}[TYPE.transport.noise]\n${key}\n${service}${tail}\n`
    writeFileSync(path, text.replaceAll('TYPE', type))
    return path
  }
  const server = child(stack, 'rathole', [
    '--server',
    file(
      'server',
      `bind_addr = "127.0.0.1:${port}"`,
      `local_private_key = "${keys[1]}"`,
      `bind_addr = "127.0.0.1:${open}"`,
    ),
  ])
  await reachable(port)
  const client = child(stack, 'rathole', [
    '--client',
    file(
      'client',
      `remote_addr = "127.0.0.1:${port}"`,
      `remote_public_key = "${keys[4]}"`,
      `local_addr = "127.0.0.1:${originPort}"`,
    ),
  ])
  await reachable(open)
  return plain('rathole, noise', open, [server, client])
}

const plain = (name: string, port: number, children: ChildProcess[]): Way => ({
  name,
  tcp: port,
  http: port,
  httpHost: '127.0.0.1',
  processes: children.map(({ pid }) => pid ?? 0),
})

function child(stack: AsyncDisposableStack, command: string, argv: string[]): ChildProcess {
  const started = spawn(command, argv, { stdio: 'ignore' })
  stack.defer(() => void started.kill())
  return started
}

function leftOut(name: string, needs: string): null {
  console.log(`${name}: left out, it needs ${needs}`)
  return null
}

const installed = (command: string): boolean => spawnSync('which', [command]).status === 0
const versionOf = (command: string): string => execFileSync(command, ['--version']).toString().trim()

function makeCertificate(folder: string): { certificate: string; key: string } {
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=b',
  ]
  execFileSync('openssl', [...made, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  return { certificate, key }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // an address of TCP
  server.close()
  await once(server, 'close')
  return port
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
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
