/**
 * What our HTTP binding costs: a small JSON GET with a permission check against a bare `node:http` server that answers the same
 * body. Each server and the load generator have a process of their own; rounds are interleaved and medians compared.
 *
 *   node bench/http.ts [rounds] [seconds per round]
 *
 * `capacity` is the ratio of CPU time per request, which other work on the machine disturbs least; `throughput` that of
 * requests per second.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import { z } from 'zod'
import { unauthorized } from '../src/contract/errors.ts'
import { type Contexts, operation } from '../src/contract/operation.ts'
import { createApi, part } from '../src/http/index.ts'
import { silentLog } from '../src/lib/log.ts'

const path = '/api/v1/servers/1a7ce997'
const key = 'phk_0123456789abcdef0123456789abcdef0123456789a'
const connections = 32

const Server = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: z.enum(['running', 'offline']),
  message: z.string().nullable(),
  resources: z.strictObject({ memory: z.int(), disk: z.int(), cpu: z.number() }),
  usage: z.strictObject({ memoryBytes: z.int(), cpuCores: z.number(), diskBytes: z.int() }).nullable(),
  variables: z.record(z.string(), z.string()),
  allocations: z.array(z.strictObject({ id: z.string(), ip: z.string(), port: z.int(), primary: z.boolean() })),
  createdAt: z.iso.datetime(),
})
const server: z.output<typeof Server> = {
  id: 'servers/1a7ce997',
  name: 'Minecraft Server',
  status: 'running',
  message: null,
  resources: { memory: 4096, disk: 30720, cpu: 2 },
  usage: { memoryBytes: 1_234_567_890, cpuCores: 0.37, diskBytes: 987_654_321 },
  variables: { MOTD: 'A server', GAMEMODE: 'survival' },
  allocations: [{ id: 'all_1', ip: '127.0.0.1', port: 25565, primary: true }],
  createdAt: '2026-06-01T12:00:00.000Z',
}

const roles: Record<string, () => Promise<void>> = { bare, api, load }
const role = process.argv[2] ?? ''
await (roles[role] ?? compare)()

/** The bare server: parses nothing, checks nothing. */
async function bare(): Promise<void> {
  const bytes = Buffer.byteLength(JSON.stringify({ success: true, data: server }))
  const listening = createServer((_, response) => {
    const body = JSON.stringify({ success: true, data: server })
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes })
    response.end(body)
  })
  report(listening.listen(0, '127.0.0.1'))
}

async function api(): Promise<void> {
  interface Known extends Contexts {
    server: { userId: string }
  }
  const permissions = new Map([[key, { userId: 'usr_1', may: new Set(['1a7ce997']) }]])
  const operations = {
    server: operation({
      method: 'GET',
      path: '/servers/{serverId}',
      family: 'panel',
      tag: 'Servers',
      summary: 'Show one',
      access: { server: 'visible' },
      params: z.object({ serverId: z.string().regex(/^[0-9a-f]{8}$/) }),
      reply: Server,
      errors: [],
    }),
  }
  const served = await createApi<Known>({
    prefix: '/api/v1',
    cors: true,
    log: silentLog,
    parts: [part<typeof operations, Known>(operations, { server: () => server })],
    gate: {
      admit: (_, { headers, params, setHeader }) => {
        const known = permissions.get(headers.authorization?.slice('Bearer '.length) ?? '')
        if (!known?.may.has(params['serverId'] ?? '')) throw unauthorized('Not known')
        setHeader('x-ratelimit-limit', '180')
        setHeader('x-ratelimit-remaining', '179')
        setHeader('x-ratelimit-reset', '60')
        return { userId: known.userId }
      },
    },
  })
  report(net.createServer((connection) => served.serve(connection)).listen(0, '127.0.0.1'))
}

/** Tells the parent the port, and its CPU time whenever it is asked. */
function report(listening: net.Server): void {
  listening.once('listening', () => process.send?.({ port: (listening.address() as net.AddressInfo).port }))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMicros: user + system })
  })
}

/** Keeps `connections` connections busy for the given time; counts replies by their bytes, which all have the same length. */
async function load(): Promise<void> {
  const [port, seconds] = process.argv.slice(3).map(Number) as [number, number]
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n\r\n`
  let replies = 0
  const until = performance.now() + seconds * 1000
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = net.connect(port, '127.0.0.1')
      await once(connection, 'connect')
      connection.setNoDelay(true)
      connection.write(request)
      let length = 0
      let waiting = 0
      connection.on('data', (chunk: Buffer) => {
        length ||= lengthOfReply(chunk)
        waiting += chunk.length
        if (waiting < length) return
        waiting -= length
        replies++
        if (performance.now() < until) connection.write(request)
        else connection.destroy()
      })
      await once(connection, 'close')
    }),
  )
  process.send?.({ replies })
}

function lengthOfReply(first: Buffer): number {
  const text = first.toString('latin1')
  const head = text.indexOf('\r\n\r\n')
  const body = /content-length: (\d+)/i.exec(text)?.[1]
  if (!text.startsWith('HTTP/1.1 200 ') || head < 0 || !body) throw new Error(`Unexpected reply: ${text}`)
  return head + 4 + Number(body)
}

async function compare(): Promise<void> {
  const [rounds = 7, seconds = 3] = process.argv.slice(2).map(Number)
  const servers = await Promise.all(
    ['bare', 'api'].map(async (name) => {
      const child = fork(import.meta.filename, [name])
      const [{ port }] = (await once(child, 'message')) as [{ port: number }]
      return { name, child, port, perSecond: [] as number[], micros: [] as number[] }
    }),
  )
  for (let round = -1; round < rounds; round++) {
    for (const { child, port, perSecond, micros } of servers) {
      const cpu = async (): Promise<number> => {
        child.send('cpu')
        return ((await once(child, 'message')) as [{ cpuMicros: number }])[0].cpuMicros
      }
      const before = await cpu()
      const began = performance.now()
      const generator = fork(import.meta.filename, ['load', String(port), String(seconds)])
      const [{ replies }] = (await once(generator, 'message')) as [{ replies: number }]
      const took = (performance.now() - began) / 1000
      // The first round only warms up.
      if (round < 0) continue
      perSecond.push(replies / took)
      micros.push(((await cpu()) - before) / replies)
    }
  }
  for (const { child } of servers) child.kill()
  const [plain, ours] = servers.map(({ name, perSecond, micros }) => {
    const result = { name, perSecond: median(perSecond), micros: median(micros) }
    console.log(
      `${name.padEnd(5)} ${result.perSecond.toFixed(0).padStart(7)} requests/s  ${result.micros.toFixed(1).padStart(6)} µs CPU per request`,
    )
    return result
  })
  if (plain && ours)
    console.log(
      `ratio: throughput ${(ours.perSecond / plain.perSecond).toFixed(2)}, capacity ${(plain.micros / ours.micros).toFixed(2)}`,
    )
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
