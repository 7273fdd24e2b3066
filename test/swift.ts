import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { patienceMs } from './patience.ts'
import { reservePort } from './ports.ts'

const run = promisify(execFile)

/** A real S3 store: OpenStack Swift behind its own S3 interface, on ports and in a folder of its own. */
export interface Swift {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
}

const user = 'test:tester'
const secret = 'testing'

/**
 * Starts it, or skips the test where Debian's swift-proxy, swift-account, swift-container, swift-object and memcached are not
 * installed; under CI=true it fails then.
 */
export async function startSwift(t: TestContext): Promise<Swift | null> {
  try {
    for (const program of ['swift-proxy-server', 'swift-object-server', 'swift-ring-builder', 'memcached'])
      await run('sh', ['-c', `command -v ${program}`])
  } catch (cause) {
    if (process.env.CI === 'true') throw new Error('Swift is not installed', { cause })
    t.skip('Swift is not installed: apt-get install swift-proxy swift-account swift-container swift-object memcached')
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'pharos-swift-'))
  const children: ChildProcess[] = []
  t.after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  })
  const ports = { proxy: 0, account: 0, container: 0, object: 0, memcached: 0 }
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await reservePort()
  const etc = join(folder, 'etc')
  await mkdir(etc)
  await mkdir(join(folder, 'devices/d1'), { recursive: true })
  await writeFile(join(etc, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n')
  for (const kind of ['account', 'container', 'object'] as const) {
    const builder = join(etc, `${kind}.builder`)
    await run('swift-ring-builder', [builder, 'create', '4', '1', '1'])
    await run('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${ports[kind]}/d1`, '1'])
    await run('swift-ring-builder', [builder, 'rebalance'])
    await writeFile(
      join(etc, `${kind}-server.conf`),
      `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${ports[kind]}
workers = 0
mount_check = false
fallocate_reserve = 0
user = ${process.getuid?.() === 0 ? 'root' : process.env.USER}
swift_dir = ${etc}
devices = ${join(folder, 'devices')}
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
`,
    )
  }
  await writeFile(
    join(etc, 'proxy-server.conf'),
    `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${ports.proxy}
workers = 0
user = ${process.getuid?.() === 0 ? 'root' : process.env.USER}
swift_dir = ${etc}
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${ports.memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = ${secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
`,
  )
  const start = (program: string, args: string[]): void => {
    children.push(spawn(program, args, { stdio: 'ignore', env: { ...process.env, SWIFT_TEST_CONFIG_FILE: '' } }))
  }
  start('memcached', ['-l', '127.0.0.1', '-p', String(ports.memcached), '-u', 'root'])
  for (const kind of ['account', 'container', 'object', 'proxy'])
    start(`swift-${kind}-server`, [join(etc, `${kind}-server.conf`)])
  for (const port of Object.values(ports)) await listening(port)
  return { endpoint: `http://127.0.0.1:${ports.proxy}`, accessKeyId: user, secretAccessKey: secret }
}

async function listening(port: number): Promise<void> {
  const end = performance.now() + patienceMs
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    if (performance.now() > end) throw new Error(`nothing listens on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
