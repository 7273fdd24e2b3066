// What a link costs: the same transfers through an accepting and a dialling process (`visitor → edge end → link → agent end →
// origin`) and directly to the origin, interleaved, medians. Everything runs on this machine, over loopback, so the ratios
// tell more than the numbers, and the load and the origin take their share of the same cores.
//
//   [SHARED_PORT=1] node bench/link.ts [rounds] [seconds per measurement]
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countBuffersAsHeap } from '../src/lib/garbage.ts'
import { silentLog } from '../src/lib/log.ts'
import {
  acceptLinks,
  dialLink,
  type Link,
  listenLinks,
  listenShared,
  loadIdentity,
  splice,
  tlsDialler,
} from '../src/link/index.ts'

interface Result {
  /** MB/s, or connections each second. */
  rate: number
  /** CPU seconds of both ends of the link, for each GB or for each connection. */
  cpu: number
}

const download = 'D'.charCodeAt(0)
const readBytes = 256 * 1024

async function load([rounds = 5, seconds = 2]: number[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  const children: ChildProcess[] = []
  try {
    const start = async <T>(...argv: string[]): Promise<T> => {
      const child = fork(import.meta.filename, argv, { stdio: 'inherit' })
      children.push(child)
      const [ready] = await once(child, 'message')
      return ready
    }
    const { port: originPort } = await start<{ port: number }>('origin')
    const { port: edgePort, ...dial } = await start<{ port: number; linkPort: number; pin: string }>('edge', folder)
    await start('agent', Buffer.from(JSON.stringify({ ...dial, originPort })).toString('hex'))
    const ends = children.slice(1)
    const { port: hopPort } = await start<{ port: number }>('hop', String(originPort))
    const hop = children.slice(3)

    const measurements: Record<string, (port: number, measured: ChildProcess[]) => Promise<Result>> = {
      'download, 1 stream (MB/s)': (port, measured) => bulk(port, 1, seconds, measured),
      'download, 16 streams (MB/s)': (port, measured) => bulk(port, 16, seconds, measured),
      'connect + 1 byte echo (each second)': (port, measured) => echoes(port, 32, seconds, measured),
    }
    for (const [name, measure] of Object.entries(measurements)) {
      const [direct, hops, linked]: Result[][] = [[], [], []]
      await measure(edgePort, ends) // warms up
      for (let round = 0; round < rounds; round++) {
        direct?.push(await measure(originPort, []))
        hops?.push(await measure(hopPort, hop))
        linked?.push(await measure(edgePort, ends))
      }
      const limit = median(direct ?? []).rate
      const show = (label: string, results: Result[] = []): string => {
        const { rate, cpu } = median(results)
        const cost = name.includes('MB/s')
          ? `${(cpu * 1000).toFixed(2)} CPU s/GB`
          : `${(cpu * 1e6).toFixed(0)} µs CPU each`
        return `${label} ${rate.toFixed(0)} (${(rate / limit).toFixed(3)} of direct, ${cost})`
      }
      console.log(`${name}: direct ${limit.toFixed(0)}, ${show('one plain Node hop', hops)}, ${show('link', linked)}`)
    }
  } finally {
    for (const child of children) child.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

async function bulk(port: number, streams: number, seconds: number, ends: ChildProcess[]): Promise<Result> {
  let received = 0
  const buffer = Buffer.allocUnsafe(readBytes)
  const onread = {
    buffer,
    callback: (bytes: number) => {
      received += bytes
      return true
    },
  }
  const sockets = await Promise.all(
    Array.from({ length: streams }, async () => {
      const socket = connect({ port, host: '127.0.0.1', onread })
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write(Buffer.of(download))
      return socket
    }),
  )
  await sleep(300) // until windows have grown
  const [cpuBefore, begun, from] = [await cpuOf(ends), performance.now(), received]
  await sleep(seconds * 1000)
  const [took, bytes] = [(performance.now() - begun) / 1000, received - from]
  const cpu = (await cpuOf(ends)) - cpuBefore
  await Promise.all(
    sockets.map(async (socket) => {
      socket.destroy()
      if (!socket.closed) await once(socket, 'close')
    }),
  )
  await sleep(100)
  const megabytes = bytes / 1e6
  return { rate: megabytes / took, cpu: cpu / megabytes }
}

async function echoes(port: number, concurrency: number, seconds: number, ends: ChildProcess[]): Promise<Result> {
  let count = 0
  const cpuBefore = await cpuOf(ends)
  const begun = performance.now()
  const until = begun + seconds * 1000
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.on('error', reject)
      socket.on('connect', () => socket.write('E'))
      socket.on('data', () => socket.end())
      socket.on('close', () => resolve())
    })
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < until) {
        await one()
        count += 1
      }
    }),
  )
  const took = (performance.now() - begun) / 1000
  return { rate: count / took, cpu: ((await cpuOf(ends)) - cpuBefore) / count }
}

function origin(): void {
  const chunk = Buffer.alloc(readBytes, 'x')
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first) => {
      if (first[0] !== download) {
        socket.end(first)
        return
      }
      const more = (): void => {
        while (socket.writable && socket.write(chunk));
      }
      socket.on('drain', more)
      more()
    })
  })
  server.listen(0, '127.0.0.1', () => process.send?.({ port: portOf(server) }))
}

async function edge(folder: string): Promise<void> {
  reportCpu()
  countBuffersAsHeap()
  const identity = await loadIdentity(folder)
  const links: Link[] = []
  const events = { onStream: () => undefined }
  const greeted = { welcome: null, events, opened: (opened: Link) => links.push(opened) }
  const acceptor = acceptLinks({ greet: async () => greeted, log: silentLog })
  const onPlain = (socket: Socket): void => void socket.destroy()
  const options = { host: '127.0.0.1', port: 0, identity, acceptor, onPlain, log: silentLog }
  const listening = process.env.SHARED_PORT ? await listenShared(options) : await listenLinks(options)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const [link] = links
    if (link) void splice(socket, link.open(null))
    else socket.destroy()
  })
  server.listen(0, '127.0.0.1', 1024, () =>
    process.send?.({ port: portOf(server), linkPort: listening.port, pin: identity.pin }),
  )
}

async function agent({
  linkPort,
  pin,
  originPort,
}: {
  linkPort: number
  pin: string
  originPort: number
}): Promise<void> {
  reportCpu()
  countBuffersAsHeap()
  await dialLink({
    dialler: tlsDialler({ host: '127.0.0.1', port: linkPort, pin }),
    hello: null,
    events: {
      onStream: (stream) => {
        void splice(connect({ host: '127.0.0.1', port: originPort, allowHalfOpen: true, noDelay: true }), stream)
      },
    },
  })
  process.send?.({})
}

/** The yardstick for how fast Node is here today: no link, no TLS, one process. */
function plainHop(originPort: number): void {
  reportCpu()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void splice(socket, connect({ host: '127.0.0.1', port: originPort, allowHalfOpen: true, noDelay: true }))
  })
  server.listen(0, '127.0.0.1', 1024, () => process.send?.({ port: portOf(server) }))
}

function reportCpu(): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.((user + system) / 1e6)
  })
}

async function cpuOf(ends: ChildProcess[]): Promise<number> {
  const all = await Promise.all(
    ends.map(async (end) => {
      end.send('cpu')
      const [seconds] = await once(end, 'message')
      return Number(seconds)
    }),
  )
  return all.reduce((sum, seconds) => sum + seconds, 0)
}

function median(results: Result[]): Result {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
  return { rate: middle(results.map(({ rate }) => rate)), cpu: middle(results.map(({ cpu }) => cpu)) }
}

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port // a server that listens on TCP
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const [role = 'load', ...rest] = process.argv.slice(2).filter((argument) => /^[a-z]/.test(argument))
if (role === 'load') await load(process.argv.slice(2).map(Number))
else if (role === 'origin') origin()
else if (role === 'hop') plainHop(Number(process.argv[3]))
else if (role === 'edge') await edge(String(rest[0]))
else await agent(JSON.parse(Buffer.from(String(process.argv[3]), 'hex').toString()))
