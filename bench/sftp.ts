/**
 * What SFTP costs. OpenSSH's own client puts and gets one file, through our node and through OpenSSH's server (with its own
 * sftp-server, on a port of this machine, as root with a key), with the same cipher: each of them has a process of its own;
 * interleaved rounds, medians. CPU is that of the serving side.
 *
 *   node bench/sftp.ts [rounds] [megabytes of the file]
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { reservePort } from '../test/ports.ts'
import { median } from './http-load.ts'
import { cpuSeconds, startPanelAndNode, until } from './panel-and-node.ts'

const run = promisify(execFile)
const ciphers = ['aes128-gcm@openssh.com', 'aes128-ctr', 'chacha20-poly1305@openssh.com']

interface Way {
  name: string
  port: number
  user: string
  /** Where the file goes. */
  path: string
  cpu(): Promise<number>
}

const [rounds = '5', megabytes = '128'] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rm(folder, { recursive: true, force: true }))
const key = join(folder, 'key')
await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
await writeFile(join(folder, 'file'), Buffer.alloc(Number(megabytes) * 1e6, 'x'))

const world = stack.use(await startPanelAndNode(join(folder, 'pharos'), 'cat', { sftp: true }))
await world.api.createSshKey({ body: { publicKey: (await run('cat', [`${key}.pub`])).stdout.trim() } })
const { user, port } = await world.api.sftpDetails({ params: { serverId: world.serverId } })
const ways: Way[] = [
  { name: 'Pharos', port: port ?? 0, user, path: '/file', cpu: () => cpuSeconds(world.nodePid) },
  await startOpenSsh(),
]

console.log(`| ${megabytes} MB, cipher | server | put, MB/s | get, MB/s | CPU of put and get, s/GB |`)
console.log('| --- | --- | --- | --- | --- |')
for (const cipher of ciphers) {
  const seen = new Map(ways.map(({ name }) => [name, { put: [], get: [], putCpu: [], getCpu: [] } as Seen]))
  for (let round = 0; round < Number(rounds); round += 1)
    for (const way of ways)
      for (const act of ['put', 'get'] as const) {
        const began = performance.now()
        const before = await way.cpu()
        const line = act === 'put' ? `put ${join(folder, 'file')} ${way.path}` : `get ${way.path} /dev/null`
        await transfer(way, cipher, line)
        const numbers = seen.get(way.name)
        numbers?.[act].push(Number(megabytes) / ((performance.now() - began) / 1000))
        numbers?.[`${act}Cpu`].push(((await way.cpu()) - before) / (Number(megabytes) / 1000))
      }
  for (const [name, { put, get, putCpu, getCpu }] of seen)
    console.log(
      `| ${cipher} | ${name} | ${median(put).toFixed(0)} | ${median(get).toFixed(0)} | ${median(putCpu).toFixed(1)}, ${median(getCpu).toFixed(1)} |`,
    )
}

interface Seen {
  put: number[]
  get: number[]
  putCpu: number[]
  getCpu: number[]
}

async function transfer({ port, user }: Way, cipher: string, line: string): Promise<void> {
  const batch = join(folder, 'batch')
  await writeFile(batch, `${line}\n`)
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'IdentitiesOnly=yes']
  await run('sftp', [
    ...options.flatMap((option) => ['-o', option]),
    ...['-q', '-i', key, '-c', cipher, '-P', String(port), '-b', batch, `${user}@127.0.0.1`],
  ])
}

/** OpenSSH's server as Debian has it, in the foreground; its CPU is that of it and of the children that have ended. */
async function startOpenSsh(): Promise<Way> {
  const own = join(folder, 'openssh')
  await mkdir(own, { mode: 0o700 })
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(own, 'host')])
  const port = await reservePort()
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(own, 'host')}`,
    `AuthorizedKeysFile ${key}.pub`,
    'StrictModes no',
    'PermitRootLogin yes',
    'UsePAM no',
    `PidFile ${join(own, 'pid')}`,
    'Subsystem sftp /usr/lib/openssh/sftp-server',
  ]
  await writeFile(join(own, 'config'), `${config.join('\n')}\n`)
  await mkdir('/run/sshd', { recursive: true })
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(own, 'config')], { stdio: 'ignore' })
  stack.defer(async () => {
    server.kill()
    await once(server, 'exit')
  })
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
        socket.once('connect', () => socket.destroy())
      }),
    50,
  )
  const path = join(own, 'file')
  return { name: 'OpenSSH', port, user: 'root', path, cpu: () => childCpuSeconds(server.pid ?? 0) }
}

/** Of a process and of its children that it has waited for, in seconds. */
async function childCpuSeconds(pid: number): Promise<number> {
  const { stdout } = await run('cat', [`/proc/${pid}/stat`])
  const fields = stdout.split(') ')[1]?.split(' ') ?? []
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / 100
}
