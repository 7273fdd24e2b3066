import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'
import type { FakeNode } from '../world/fake-node.ts'
import { startAcme } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'
import { until } from '../world/servers-world.ts'

/** As many as the list asks for. */
const rivals = 50

let closer: AsyncDisposableStack
let world: Awaited<ReturnType<typeof startAcme>>
let node: FakeNode
let params: { serverId: string }
before(async () => {
  closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-limits-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  world = closer.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }))
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  node = closer.use(await joinFakeNode(world.acme))
  const { id } = await world.acme.createServer({ body: { name: 'Lobby', template: 'plain' } })
  params = { serverId: id.replace('servers/', '') }
  await until('running', async () => (await world.acme.server({ params })).status === 'running')
})
after(() => closer.disposeAsync())

/** How many of many at once succeed; the others are refused in words about the limit. */
async function winners(act: (n: number) => Promise<unknown>, words: RegExp): Promise<number> {
  const results = await Promise.allSettled(Array.from({ length: rivals }, (_, n) => act(n)))
  for (const result of results)
    if (result.status === 'rejected') {
      assert.equal(result.reason.code, 'conflict', String(result.reason))
      assert.match(result.reason.message, words)
    }
  return results.filter(({ status }) => status === 'fulfilled').length
}

test('of fifty who race for the only database one gets it (CVE-2025-69198)', async () => {
  await world.acme.updateServerLimits({ params, body: { databases: 1 } })
  const create = (n: number) => world.acme.createDatabase({ params, body: { database: `race${n}`, remote: '%' } })
  assert.equal(await winners(create, /may have 1/), 1)
  assert.equal((await world.acme.databases({ params })).length, 1)
  assert.equal(node.databases.size, 1)
})

test('of fifty who race for the only schedule one gets it (CVE-2025-69198)', async () => {
  await world.acme.updateServerLimits({ params, body: { schedules: 1 } })
  const tasks = [{ kind: 'wait' as const, until: 'offline' as const }]
  const create = (n: number) =>
    world.acme.createSchedule({ params, body: { name: `race ${n}`, cron: '0 4 * * *', tasks } })
  assert.equal(await winners(create, /may have 1/), 1)
  assert.equal((await world.acme.schedules({ params })).length, 1)
})

test('of fifty who race for the last port one gets it (CVE-2025-69198)', async () => {
  await world.acme.updateServerLimits({ params, body: { allocations: 2 } })
  assert.equal(await winners(() => world.acme.createAllocation({ params }), /may have 2/), 1)
  assert.equal((await world.acme.allocations({ params })).allocations.length, 2)
})

test('of fifty who race for the last ten keys ten get one (CVE-2025-69198)', async () => {
  const { tokens } = await world.acme.tokens()
  for (let n = tokens.filter(({ revokedAt }) => revokedAt === null).length; n < 190; n += 1)
    await world.acme.createToken({ body: {} })
  assert.equal(await winners(() => world.acme.createToken({ body: {} }), /200 keys/), 10)
})

const dial = (options = {}) =>
  new WebSocket(`${world.api.replace('http', 'ws')}/servers/${params.serverId}/events`, {
    headers: { authorization: `Bearer ${world.key}` },
    ...options,
  })

/** The head of a handshake that asks for compression, and the connection that it was sent on. */
async function rawSocket(): Promise<{ connection: net.Socket; head: string }> {
  const connection = net.connect(world.panel.port, '127.0.0.1')
  connection.on('error', () => undefined)
  connection.write(
    `GET /api/v1/servers/${params.serverId}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n`,
  )
  const [head] = await once(connection, 'data')
  connection.resume()
  return { connection, head: String(head) }
}

test('a message of 64 MB is refused at its first bytes (CVE-2025-69199)', async () => {
  const socket = dial()
  await once(socket, 'open')
  const before = process.memoryUsage.rss()
  socket.on('error', () => undefined)
  socket.send(Buffer.alloc(64 * 1024 * 1024, 120))
  const [code] = await once(socket, 'close')
  assert.ok(code === 1009 || code === 1006, String(code))
  assert.ok(process.memoryUsage.rss() - before < 512 * 1024 * 1024)
})

test('a frame that announces 2^63 bytes, and one that says it is compressed, end the connection (CVE-2025-69199)', async () => {
  const { connection, head } = await rawSocket()
  assert.match(head, /^HTTP\/1\.1 101/)
  assert.doesNotMatch(head, /sec-websocket-extensions/i, 'compression is never agreed on')
  connection.write(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]))
  await once(connection, 'close')
  const bomb = deflateRawSync(Buffer.alloc(10 * 1024 * 1024))
  const second = (await rawSocket()).connection
  second.write(Buffer.concat([Buffer.from([0xc1, 0xfe, bomb.length >> 8, bomb.length & 255, 0, 0, 0, 0]), bomb]))
  await once(second, 'close')
  assert.equal((await world.acme.server({ params })).status, 'running')
})

test('ten thousand commands at once are refused but for a few, and hold up nobody (CVE-2025-69199)', async () => {
  const socket = dial()
  await once(socket, 'open')
  let refused = 0
  socket.on('message', (data) => {
    if (String(data).includes('Too many commands')) refused += 1
  })
  const before = node.asked.length
  for (let n = 0; n < 10_000; n += 1) socket.send(JSON.stringify({ type: 'command', command: `say ${n}` }))
  await until('most are refused', () => refused > 5_000)
  assert.equal((await world.acme.server({ params })).status, 'running')
  assert.ok(node.asked.length - before < 5_000)
  socket.terminate()
})

test('one person cannot open more live connections than their share (CVE-2025-69199)', async () => {
  const sockets = Array.from({ length: 210 }, () => dial())
  const ends = sockets.map(
    (socket) =>
      new Promise<number>((resolve) => {
        socket.on('error', () => undefined)
        socket.once('close', resolve)
        socket.once('message', () => resolve(0))
      }),
  )
  const codes = await Promise.all(ends)
  const refused = codes.filter((code) => code === 1008).length
  assert.ok(refused >= 10 && refused < 40, `${refused} were refused`)
  for (const socket of sockets) socket.terminate()
})

test('a request with an odd, missing, doubled or huge Host is answered and harms nothing (CVE-2024-1064)', async () => {
  const ask = async (lines: string): Promise<string> => {
    const connection = net.connect(world.panel.port, '127.0.0.1')
    connection.on('error', () => undefined)
    connection.end(`GET /api/v1/openapi.json HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
    let text = ''
    for await (const chunk of connection) text += chunk
    return text.slice(0, 15)
  }
  for (const lines of [
    '',
    'Host: \r\n',
    'Host: a\r\nHost: b\r\n',
    `Host: ${'x'.repeat(100_000)}\r\n`,
    'Host: [::1\r\n',
    'Host: a b\r\n',
    'Host: \u0000\r\n',
    'Host: http://x/y?z#q@:99999999\r\n',
  ])
    assert.match(await ask(lines), /^HTTP\/1\.1 (200|4\d\d)/, JSON.stringify(lines.slice(0, 40)))
  assert.equal((await world.acme.server({ params })).status, 'running')
})

test('a hundred thousand refused sign-ins would be limited, and right keys go on meanwhile (P#5115)', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 150; n += 1) {
    const reply = await fetch(`${world.api}/account`, { headers: { authorization: `Bearer phk_${n}` } })
    await reply.arrayBuffer()
    statuses.push(reply.status)
  }
  assert.ok(statuses.includes(429), 'the limiter replies')
  assert.equal((await world.acme.account()).email, 'ada@example.com')
})
