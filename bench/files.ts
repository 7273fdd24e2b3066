/**
 * What the file manager costs. A folder of 50,000 entries is listed through API, link and node, beside a plain loop of
 * `readdir` and `lstat`; and a file is downloaded and uploaded through panel, link and node, beside nginx that serves and
 * takes the same file without TLS and without an fsync. Everything has a process of its own; interleaved rounds, medians. CPU is that of panel and
 * node together, or of nginx. Without the Debian package nginx that row is left out, and it says so.
 *
 *   node bench/files.ts [rounds] [megabytes of the file]
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { median } from './http-load.ts'
import { cpuSeconds, type PanelAndNode, startPanelAndNode } from './panel-and-node.ts'

const entries = 50_000
const chunk = Buffer.alloc(256 * 1024, 'x')
const nginx = '/usr/sbin/nginx'

/** One plain loop in a process without other work: prints how long it took in ms. */
const plainListing = `
  const { lstatSync, readdirSync } = require('node:fs')
  const began = performance.now()
  const names = readdirSync(process.argv[1])
  const files = names.map((name) => ({ name, stat: lstatSync(process.argv[1] + '/' + name) }))
  if (files.length !== ${entries}) throw new Error('entries are missing')
  console.log(performance.now() - began)`

/** Moves the file once in each direction; both resolve when the other side has it all. */
interface Way {
  name: string
  pids: number[]
  download(): Promise<void>
  upload(): Promise<void>
}

const [rounds = '5', megabytes = '160'] = process.argv.slice(2)
await compare(Number(rounds), Number(megabytes))

async function compare(rounds: number, megabytes: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  await using world = await startPanelAndNode(folder)
  await compareListing(world, rounds)
  await compareTransfers(world, folder, rounds, megabytes)
}

async function compareListing({ api, serverId, data }: PanelAndNode, rounds: number): Promise<void> {
  const many = join(data, 'many')
  await mkdir(many)
  spawnSync('sh', ['-c', `cd "$1" && seq -f file-%.0f.dat ${entries} | xargs touch`, 'sh', many])
  const list = async (limit: number, most: number): Promise<number> => {
    const began = performance.now()
    let seen = 0
    for (let cursor: string | undefined; seen < most; ) {
      const page = await api.listFiles({
        params: { serverId },
        query: { directory: '/many', limit, ...(cursor ? { cursor } : {}) },
      })
      seen += page.files.length
      if (page.nextCursor === null) break
      cursor = page.nextCursor
    }
    if (seen !== most) throw new Error(`The API listed ${seen} of ${most} entries`)
    return performance.now() - began
  }
  const plain: number[] = []
  const all: number[] = []
  const first: number[] = []
  for (let round = -1; round < rounds; round++) {
    const times = [
      Number(spawnSync(process.execPath, ['-e', plainListing, many], { encoding: 'utf8' }).stdout),
      await list(10_000, entries),
      await list(1000, 1000),
    ] as const
    if (round < 0) continue
    plain.push(times[0])
    all.push(times[1])
    first.push(times[2])
  }
  const [loop, whole, page] = [median(plain), median(all), median(first)]
  console.log(`listing ${entries} entries`)
  console.log(`  readdir + lstat    ${loop.toFixed(0).padStart(6)} ms`)
  console.log(`  API, all of them   ${whole.toFixed(0).padStart(6)} ms (${(whole / loop).toFixed(2)} times as long)`)
  console.log(`  API, first 1,000   ${page.toFixed(0).padStart(6)} ms (${(page / loop).toFixed(2)} times as long)`)
  await rm(many, { recursive: true })
}

async function compareTransfers(world: PanelAndNode, folder: string, rounds: number, megabytes: number): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const file = join(world.data, 'file.bin')
  await fill(file, megabytes)
  const bytes = (await stat(file)).size
  const ways: Way[] = [throughPanel(world, bytes)]
  const plain = await startNginx(stack, folder, world.data, bytes)
  if (plain) ways.unshift(plain)
  const results = ways.map(() => ({ download: [] as Moved[], upload: [] as Moved[] }))
  for (let round = -1; round < rounds; round++)
    for (const [index, way] of ways.entries())
      for (const direction of ['download', 'upload'] as const) {
        const moved = await measure(way, direction, bytes)
        if (round >= 0) results[index]?.[direction].push(moved)
      }
  for (const direction of ['download', 'upload'] as const) {
    console.log(`${direction} of ${megabytes} MB`)
    const limit = median(results[0]?.[direction].map(({ speed }) => speed) ?? [])
    for (const [index, { name }] of ways.entries()) {
      const moved = results[index]?.[direction] ?? []
      const speed = median(moved.map((one) => one.speed))
      const cpu = median(moved.map((one) => one.cpuMs))
      console.log(
        `  ${name.padEnd(6)} ${speed.toFixed(0).padStart(6)} MB/s  ${cpu.toFixed(0).padStart(5)} ms CPU per 100 MB` +
          (index > 0 ? `  (${(speed / limit).toFixed(2)} of ${ways[0]?.name})` : ''),
      )
    }
  }
}

interface Moved {
  /** MB/s */
  speed: number
  /** Per 100 MB. */
  cpuMs: number
}

async function measure(way: Way, direction: 'download' | 'upload', bytes: number): Promise<Moved> {
  const cpuBefore = await cpuSeconds(...way.pids)
  const began = performance.now()
  await way[direction]()
  const seconds = (performance.now() - began) / 1000
  const cpu = (await cpuSeconds(...way.pids)) - cpuBefore
  return { speed: bytes / 1e6 / seconds, cpuMs: (cpu * 1000) / (bytes / 1e8) }
}

/** As a browser does it: with a link or a ticket from the API, whose making is part of the time. */
function throughPanel({ api, baseUrl, serverId, port, panelPid, nodePid }: PanelAndNode, bytes: number): Way {
  const params = { serverId }
  return {
    name: 'pharos',
    pids: [panelPid, nodePid],
    async download() {
      const { downloadUrl } = await api.downloadFile({ params, query: { file: '/file.bin' } })
      const { pathname, search } = new URL(downloadUrl, baseUrl)
      await get(port, pathname + search, bytes)
    },
    async upload() {
      const { jwt, uploadUrl } = await api.startUpload({ params, query: { directory: '/' } })
      const { pathname } = new URL(uploadUrl, baseUrl)
      await send(
        'POST',
        port,
        `${pathname}?file=uploaded.bin&overwrite=true`,
        bytes,
        `Authorization: Bearer ${jwt}\r\n`,
      )
    },
  }
}

async function startNginx(
  stack: AsyncDisposableStack,
  folder: string,
  root: string,
  bytes: number,
): Promise<Way | null> {
  if (!existsSync(nginx)) {
    console.log('nginx: left out, it needs the Debian package nginx')
    return null
  }
  const port = await freePort()
  const own = join(folder, 'nginx')
  await mkdir(join(own, 'taken'), { recursive: true })
  await chmod(own, 0o755)
  const config = join(own, 'nginx.conf')
  // One process, as root where the benchmark is, since the node's folders are closed to others.
  await writeFile(
    config,
    `daemon off; master_process off; pid ${own}/pid; error_log ${own}/error.log;
     events { worker_connections 64; }
     http {
       access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
       client_body_temp_path ${own}/body; proxy_temp_path ${own}/proxy; fastcgi_temp_path ${own}/fastcgi;
       uwsgi_temp_path ${own}/uwsgi; scgi_temp_path ${own}/scgi;
       server {
         listen 127.0.0.1:${port};
         location /taken/ { root ${own}; dav_methods PUT; }
         location / { root ${root}; }
       }
     }`,
  )
  const server = spawn(nginx, ['-p', own, '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  stack.defer(async () => {
    server.kill('SIGKILL')
    await once(server, 'exit')
  })
  await reachable(port)
  return {
    name: 'nginx',
    pids: [server.pid ?? 0],
    download: () => get(port, '/file.bin', bytes),
    upload: () => send('PUT', port, '/taken/uploaded.bin', bytes, ''),
  }
}

/** A client that costs as little as one in JavaScript can: it only counts. */
async function get(port: number, path: string, bytes: number): Promise<void> {
  let head = ''
  let read = 0
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: {
      buffer: Buffer.alloc(256 * 1024),
      callback: (length, buffer) => {
        if (head === '') head = Buffer.from(buffer.buffer, 0, Math.min(length, 4096)).toString('latin1')
        read += length
        return true
      },
    },
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
  await once(socket, 'close')
  const headBytes = head.indexOf('\r\n\r\n') + 4
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`Not downloaded: ${head.slice(0, 1000)}`)
  if (!/content-length: /i.test(head) || read - headBytes !== bytes)
    throw new Error(`${read - headBytes} of ${bytes} bytes came`)
}

async function send(method: string, port: number, path: string, bytes: number, headers: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  let reply = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    reply += text
  })
  const closed = once(socket, 'close')
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n${headers}` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${bytes}\r\n\r\n`,
  )
  for (let left = bytes; left > 0; left -= chunk.length)
    if (!socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) await once(socket, 'drain')
  await closed
  if (!/^HTTP\/1.1 20\d /.test(reply)) throw new Error(`Not uploaded: ${reply.slice(0, 1000)}`)
}

async function fill(path: string, megabytes: number): Promise<void> {
  await using file = await open(path, 'w', 0o644)
  const piece = Buffer.alloc(1e6, 'y')
  for (let written = 0; written < megabytes; written++) await file.write(piece)
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
    const open = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    )
    socket.destroy()
    if (open) return
    await pause(50)
  }
  throw new Error(`nothing listens on port ${port}`)
}
