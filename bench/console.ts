/**
 * How fast a chatty server's lines reach 100 WebSocket viewers through node, link and panel, with none lost, beside the least
 * that could do it: one process that reads the same program's output and sends it to as many. Bursts of lines; the next
 * begins when every viewer has the last; the viewers have a process of their own and check every line's number. Then the same
 * while one more viewer reads slowly: what that costs the panel in memory, and that the others still lose nothing.
 *
 *   node bench/console.ts [rounds] [lines of a burst] [viewers]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { median } from './http-load.ts'
import { cpuSeconds, type PanelAndNode, residentMegabytes, startPanelAndNode, until } from './panel-and-node.ts'

/** Says as many lines as it is told to. */
const chatty = 'while read -r n; do seq -f "[12:34:56] [Server thread/INFO]: line %.0f of a chatty game" 1 "$n"; done'

/** The slow viewer takes one piece of what waits for it and then rests so long, in ms. */
const slowRestMs = 1_000

/** Bursts while it reads. */
const slowBursts = 12

/** Batches that are remembered so that each is parsed once for all viewers: they would take the cores from the server. */
const parsedMax = 10_000

interface Chatter {
  name: string
  pids: number[]
  viewers: ChildProcess
  say(lines: number): unknown
}

interface Order {
  url: string
  key: string
  viewers: number
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'bare') await bare()
else if (role === 'viewers') await view()
else await compare(Number(role ?? 3), Number(rest[0] ?? 20_000), Number(rest[1] ?? 100))

async function compare(rounds: number, lines: number, viewers: number): Promise<void> {
  await using world = await startPanelAndNode(await mkdtemp(`${tmpdir()}/pharos-bench-`), chatty)
  await using stack = new AsyncDisposableStack()
  const start = async <T>(of: string, order?: Order): Promise<[T, ChildProcess]> => {
    const child = fork(import.meta.filename, [of])
    stack.defer(() => void child.kill('SIGKILL'))
    if (order) child.send(order)
    const [ready] = (await once(child, 'message')) as [T]
    return [ready, child]
  }
  const [port, plain] = await start<number>('bare')
  const [, plainViewers] = await start('viewers', { url: `ws://127.0.0.1:${port}`, key: '', viewers })
  const ours = await startChatter(world, (order) => start('viewers', { ...order, viewers }))
  const chatters: Chatter[] = [
    { name: 'bare', pids: [plain.pid ?? 0], viewers: plainViewers, say: (count) => plain.send(count) },
    ours,
  ]
  const results = chatters.map(() => ({ perSecond: [] as number[], cpu: [] as number[] }))
  const before = await residentMegabytes(world.panelPid)
  await using peak = peakOf(world.panelPid)
  for (let round = -1; round < rounds; round++)
    for (const [index, chatter] of chatters.entries()) {
      const { seconds, cpu } = await burst(chatter, lines)
      if (round < 0) continue
      results[index]?.perSecond.push(lines / seconds)
      results[index]?.cpu.push((cpu * 1e6) / lines)
    }
  console.log(`${lines} lines at once, ${viewers} viewers, none lost`)
  const limit = median(results[0]?.perSecond ?? [])
  for (const [index, { name }] of chatters.entries()) {
    const perSecond = median(results[index]?.perSecond ?? [])
    const cpu = median(results[index]?.cpu ?? [])
    console.log(
      `  ${name.padEnd(6)} ${perSecond.toFixed(0).padStart(7)} lines/s  ${cpu.toFixed(0).padStart(5)} µs CPU per line` +
        (index > 0 ? `  (${(perSecond / limit).toFixed(2)} of bare)` : ''),
    )
  }
  await measureSlow(ours, lines, before, peak)
}

async function measureSlow(chatter: Chatter, lines: number, before: number, peak: Peak): Promise<void> {
  const all = peak.take()
  chatter.viewers.send({ slow: true })
  await once(chatter.viewers, 'message')
  for (let said = 0; said < slowBursts; said++) await burst(chatter, lines)
  const one = peak.take()
  chatter.viewers.send({ slow: false })
  const [{ closed, received }] = (await once(chatter.viewers, 'message')) as [{ closed: string; received: number }]
  console.log(`memory of the panel: ${before.toFixed(0)} MB with all connected, at most`)
  console.log(`  ${all.toFixed(0).padStart(5)} MB while all read what comes`)
  console.log(
    `  ${one.toFixed(0).padStart(5)} MB while ${slowBursts} bursts more come and one more viewer reads slowly`,
  )
  console.log(`  that one read ${received} of ${slowBursts * lines} lines, ${closed}; the others had all`)
}

async function burst(chatter: Chatter, lines: number): Promise<{ seconds: number; cpu: number }> {
  const cpuBefore = await cpuSeconds(...chatter.pids)
  const began = performance.now()
  chatter.viewers.send({ expect: lines })
  const all = once(chatter.viewers, 'message') as Promise<[{ error?: string }]>
  await chatter.say(lines)
  const [{ error }] = await all
  if (error) throw new Error(`${chatter.name}: ${error}`)
  return { seconds: (performance.now() - began) / 1000, cpu: (await cpuSeconds(...chatter.pids)) - cpuBefore }
}

interface Peak extends AsyncDisposable {
  /** The most since it was last taken, in MB. */
  take(): number
}

function peakOf(pid: number): Peak {
  let peak = 0
  const looking = new AbortController()
  const looks = (async () => {
    while (!looking.signal.aborted) {
      peak = Math.max(peak, await residentMegabytes(pid))
      await pause(50)
    }
  })()
  return {
    take: () => {
      const most = peak
      peak = 0
      return most
    },
    [Symbol.asyncDispose]: () => {
      looking.abort()
      return looks
    },
  }
}

async function startChatter(
  { api, baseUrl, key, serverId, panelPid, nodePid }: PanelAndNode,
  startViewers: (order: Omit<Order, 'viewers'>) => Promise<[unknown, ChildProcess]>,
): Promise<Chatter> {
  const params = { serverId }
  await api.power({ params, body: { action: 'start' } })
  await until(async () => (await api.server({ params })).status === 'running')
  const url = `${baseUrl.replace(/^http/, 'ws')}/servers/${serverId}/events?backlog=0`
  const [, viewers] = await startViewers({ url, key })
  return {
    name: 'pharos',
    pids: [panelPid, nodePid],
    viewers,
    say: (lines) => api.consoleCommand({ params, body: { command: String(lines) } }),
  }
}

/** Reads the same program's output and sends what comes at once as one message to everybody. */
async function bare(): Promise<void> {
  const game = spawn('sh', ['-c', chatty], { stdio: ['pipe', 'pipe', 'inherit'] })
  process.on('message', (lines) => game.stdin.write(`${lines}\n`))
  process.on('exit', () => game.kill())
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  await once(server, 'listening')
  let seq = 0
  let partial = ''
  game.stdout.setEncoding('utf8').on('data', (text: string) => {
    const complete = (partial + text).split('\n')
    partial = complete.pop() ?? ''
    if (complete.length === 0) return
    const at = new Date().toISOString()
    const message = JSON.stringify({
      type: 'console',
      serverId: 'servers/00000000',
      lines: complete.map((line) => ({ seq: seq++, at, text: line })),
    })
    for (const client of server.clients) client.send(message)
  })
  process.send?.((server.address() as AddressInfo).port)
}

interface Batch {
  data: Buffer
  first: number
  count: number
}

/** Says when every viewer has what is expected, or what one of them missed. */
async function view(): Promise<void> {
  const [{ url, key, viewers }] = (await once(process, 'message')) as [Order]
  const parsed = new Map<number, Batch>()
  const open = async (onBatch: (batch: Batch) => void): Promise<WebSocket> => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      ...(key === '' ? {} : { headers: { authorization: `Bearer ${key}` } }),
    })
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer) => onBatch(parse(parsed, data)))
    await once(socket, 'open')
    return socket
  }
  let expected = 0
  let waiting = 0
  const tell = (error?: string): void => void process.send?.(error ? { error } : {})
  for (let viewer = 0; viewer < viewers; viewer++) {
    let next = -1
    let had = 0
    const socket = await open(({ first, count }) => {
      if (count === 0) return
      if (next !== -1 && first !== next) tell(`viewer ${viewer} got line ${first} after ${next - 1}`)
      next = first + count
      had += count
      if (had === expected && --waiting === 0) tell()
    })
    socket.on('close', (code, reason) => tell(`viewer ${viewer} was closed: ${code} ${reason}`))
  }
  let slow: { socket: WebSocket; received: number; closed: string; timer: NodeJS.Timeout } | null = null
  process.on('message', async (order: { expect?: number; slow?: boolean }) => {
    if (order.expect !== undefined) {
      expected += order.expect
      waiting = viewers
    }
    if (order.slow === true) {
      const socket = await open(({ count }) => {
        if (!slow) return
        slow.received += count
        socket.pause()
      })
      const timer = setInterval(() => socket.resume(), slowRestMs)
      const own = { socket, received: 0, closed: 'and was still connected', timer }
      slow = own
      socket.on('close', (code, reason) => {
        own.closed = `and was let go of: ${code} ${reason}`
      })
      tell()
    }
    if (order.slow === false && slow) {
      clearInterval(slow.timer)
      // What was sent to it and the reason of its end are behind what it has not read.
      slow.socket.removeAllListeners('message')
      const closed = slow.socket.readyState === slow.socket.CLOSED ? null : once(slow.socket, 'close')
      slow.socket.resume()
      await Promise.race([closed, pause(3_000)])
      process.send?.({ closed: slow.closed, received: slow.received })
    }
  })
  process.on('disconnect', () => process.exit())
  tell()
}

/** The same message comes to every viewer: it is parsed for the first of them. */
function parse(parsed: Map<number, Batch>, data: Buffer): Batch {
  const number = data.indexOf('"seq":') + '"seq":'.length
  const first = Number.parseInt(data.toString('latin1', number, number + 16), 10)
  const known = parsed.get(first)
  if (known?.data.equals(data)) return known
  const event = JSON.parse(data.toString()) as { type: string; lines?: { seq: number }[] }
  if (event.type !== 'console' || !event.lines) return { data, first: 0, count: 0 }
  for (const [index, { seq }] of event.lines.entries())
    if (seq !== first + index) throw new Error(`line ${seq} came where ${first + index} should be`)
  const batch = { data: Buffer.from(data), first, count: event.lines.length }
  parsed.set(first, batch)
  const [oldest] = parsed.keys()
  if (parsed.size > parsedMax && oldest !== undefined) parsed.delete(oldest)
  return batch
}
