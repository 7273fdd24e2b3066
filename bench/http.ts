/**
 * What our HTTP binding costs: a small JSON GET with a permission check against a bare `node:http` server that answers the same
 * body.
 *
 *   node bench/http.ts [rounds] [seconds per round]
 */
import { createServer } from 'node:http'
import net from 'node:net'
import { z } from 'zod'
import { unauthorized } from '../src/contract/errors.ts'
import { type Contexts, operation } from '../src/contract/operation.ts'
import { createApi, part } from '../src/http/index.ts'
import { silentLog } from '../src/lib/log.ts'
import { compareServers, makeLoad, reportTarget, type Target } from './http-load.ts'

const path = '/api/v1/servers/1a7ce997'
const key = 'phk_0123456789abcdef0123456789abcdef0123456789a'
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n\r\n`

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

const [role, ...rest] = process.argv.slice(2)
if (role === 'bare') bare()
else if (role === 'api') await api()
else if (role === 'load') await makeLoad(JSON.parse(rest[0] ?? '') as Target, Number(rest[1]), { polls: true })
else await compareServers(import.meta.filename, ['bare', 'api'], Number(role ?? 7), Number(rest[0] ?? 3))

/** The bare server: parses nothing, checks nothing. */
function bare(): void {
  const bytes = Buffer.byteLength(JSON.stringify({ success: true, data: server }))
  const listening = createServer((_, response) => {
    const body = JSON.stringify({ success: true, data: server })
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes })
    response.end(body)
  })
  listen(listening)
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
  listen(net.createServer((connection) => served.serve(connection)))
}

function listen(server: net.Server): void {
  server.listen(0, '127.0.0.1', () => reportTarget({ port: (server.address() as net.AddressInfo).port, request }))
}
