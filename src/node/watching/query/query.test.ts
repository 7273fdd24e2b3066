import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { GameQuery } from '../../../contract/template.ts'
import { systemClock } from '../../../lib/clock.ts'
import { answerWaitMs } from '../limits.ts'
import { queryGame } from './index.ts'

/** How long a test waits for an answer that comes: far longer than it takes anywhere. */
const patientMs = 30_000
/** How long for one that never comes. */
const shortMs = 50

/** Something that answers datagrams on this machine. */
async function udp(t: TestContext, answer: (asked: Buffer, reply: (bytes: Buffer) => void) => void): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (asked, from) => answer(asked, (bytes) => socket.send(bytes, from.port, from.address)))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return socket.address().port
}

/** Something that answers connections. */
async function tcp(t: TestContext, answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    answer(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

const ask = (kind: GameQuery['kind'], port: number, waitMs = patientMs) =>
  queryGame(kind, port, { clock: systemClock, signal: new AbortController().signal, waitMs })

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)])

function statusPacket(json: string): Buffer {
  const text = Buffer.from(json)
  const body = Buffer.concat([Buffer.from([0, ...varint(text.length)]), text])
  return Buffer.concat([Buffer.from(varint(body.length)), body])
}

/** A Minecraft server as far as its status goes: answers the status request in two pieces. */
const minecraft = (t: TestContext, json: string) =>
  tcp(t, (socket) =>
    socket.once('data', () => {
      const bytes = statusPacket(json)
      socket.write(bytes.subarray(0, 7))
      setImmediate(() => socket.write(bytes.subarray(7)))
    }),
  )

test('reads the status of a Minecraft server, its greeting in pieces, names and all', async (t) => {
  const port = await minecraft(
    t,
    JSON.stringify({
      version: { name: '1.21', protocol: 767 },
      players: {
        online: 2,
        max: 20,
        sample: [
          { name: 'ada', id: 'x' },
          { name: 'bob', id: 'y' },
        ],
      },
      description: { text: '§aHello ', extra: [{ text: 'there' }, ' all', { extra: [{ text: '!' }] }] },
      favicon: 'data:image/png;base64,'.padEnd(9000, 'A'),
    }),
  )
  const { at, latencyMs, ...players } = await ask('minecraft', port)
  assert.ok(at > 0 && latencyMs >= 0)
  assert.deepEqual(players, {
    online: 2,
    max: 20,
    names: ['ada', 'bob'],
    description: 'Hello there all!',
    version: '1.21',
  })
})

test('makes hostile names and greetings harmless, and cuts what is too long or too much', async (t) => {
  const port = await minecraft(
    t,
    JSON.stringify({
      players: {
        online: 1e9,
        max: -5,
        sample: [
          { name: '\u001b[2J\u202eevil\r\nFORGED LINE' },
          { name: '\u0000\u0007' },
          ...Array.from({ length: 900 }, (_, n) => ({ name: `p${n}`.padEnd(80, '😀') })),
        ],
      },
      description: `\u009b31m${'x'.repeat(5000)}`,
    }),
  )
  const players = await ask('minecraft', port)
  assert.equal(players.online, 100_000)
  assert.equal(players.max, null)
  assert.equal(players.names.length, 500)
  assert.equal(players.names[0], 'evil FORGED LINE')
  assert.equal(players.names[1], 'p0'.padEnd(64, '😀'))
  assert.equal(players.description?.length, 300)
  assert.doesNotMatch(JSON.stringify(players), /\\u00(?:1b|9b|07|00)|\u202e/)
})

const refusals: readonly [string, (socket: Socket) => void, RegExp][] = [
  ['JSON that is none', (socket) => socket.write(statusPacket('{"players":')), /not JSON/],
  [
    'a status of another shape',
    (socket) => socket.write(statusPacket('{"players":{"online":"many"}}')),
    /not what Minecraft sends/,
  ],
  ['a number without an end', (socket) => socket.write(Buffer.alloc(9, 0xff)), /too large/],
  ['another packet', (socket) => socket.write(Buffer.from([2, 9, 0])), /something else/],
  ['an end in the middle', (socket) => socket.end(statusPacket('{}').subarray(0, 3)), /closed the connection/],
  ['a text beyond its packet', (socket) => socket.write(Buffer.from([3, 0, 100, 1])), /cut off/],
  [
    'bytes without an end',
    (socket) => {
      const flood = (): void => void (socket.destroyed || socket.write(Buffer.alloc(65_536, 0x80), flood))
      socket.write(Buffer.from([0xff, 0xff, 0x7f]), flood)
    },
    /too large/,
  ],
]
for (const [what, answer, words] of refusals)
  test(`refuses ${what} where a Minecraft status was asked for`, async (t) => {
    const port = await tcp(t, (socket) => socket.once('data', () => answer(socket)))
    await assert.rejects(ask('minecraft', port), words)
  })

test('waits no longer than it may for a game that says nothing, and less than between two questions', async (t) => {
  const silent = await tcp(t, (socket) => socket.resume())
  await assert.rejects(ask('minecraft', silent, shortMs), { name: 'TimeoutError' })
  for (const kind of ['source', 'quake3', 'teeworlds', 'luanti', 'minecraft-bedrock'] as const)
    await assert.rejects(ask(kind, await udp(t, () => undefined), shortMs), { name: 'TimeoutError' })
  assert.ok(answerWaitMs < 15_000)
})

test('rejects where nothing listens', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  t.diagnostic(String(port))
  await assert.rejects(ask('minecraft', port), { code: 'ECONNREFUSED' })
})

test('gives up a game that answers by a flood of datagrams', async (t) => {
  const port = await udp(t, (_asked, reply) => {
    for (let sent = 0; sent < 200; sent++) reply(Buffer.from('nonsense'))
  })
  for (const kind of ['source', 'quake3', 'teeworlds', 'luanti', 'minecraft-bedrock'] as const)
    await assert.rejects(ask(kind, port), /without an end/)
})

test('reads the pong of a Bedrock server', async (t) => {
  const port = await udp(t, (asked, reply) => {
    const text = Buffer.from('MCPE;Hello;685;1.21.2;3;30;1234;World;Survival')
    const length = Buffer.alloc(2)
    length.writeUInt16BE(text.length)
    reply(
      Buffer.concat([Buffer.from([0x1c]), asked.subarray(1, 9), Buffer.alloc(8), asked.subarray(9, 25), length, text]),
    )
  })
  const { online, max, description, version } = await ask('minecraft-bedrock', port)
  assert.deepEqual([online, max, description, version], [3, 30, 'Hello', '1.21.2'])
})

const single = Buffer.from([0xff, 0xff, 0xff, 0xff])
const challenge = Buffer.from([1, 2, 3, 4])
const sourceInfo = (online: number): Buffer =>
  Buffer.concat([
    single,
    Buffer.from('I\x11Hello\0map\0folder\0game\0', 'latin1'),
    Buffer.from([10, 0, online, 24, 0, 0x64, 0x6c, 0, 1]),
    Buffer.from('1.2.3\0'),
  ])
const sourcePlayers = (...names: string[]): Buffer =>
  Buffer.concat([
    single,
    Buffer.from([0x44, names.length]),
    ...names.map((name) => Buffer.concat([Buffer.from([0]), Buffer.from(`${name}\0`), Buffer.alloc(8)])),
  ])

test('asks a Source server again with its challenge, and puts a list of players together that came in parts', async (t) => {
  const port = await udp(t, (asked, reply) => {
    if (!asked.subarray(-4).equals(challenge)) return reply(Buffer.concat([single, Buffer.from('A'), challenge]))
    if (asked[4] === 0x54) return reply(sourceInfo(2))
    const whole = sourcePlayers('ada', 'bob')
    const part = (number: number, bytes: Buffer): Buffer =>
      Buffer.concat([Buffer.from([0xfe, 0xff, 0xff, 0xff, 7, 0, 0, 0, 2, number, 0, 0]), bytes])
    reply(part(1, whole.subarray(12)))
    reply(part(0, whole.subarray(0, 12)))
  })
  const { online, max, names, description, version } = await ask('source', port)
  assert.deepEqual([online, max, names, description, version], [2, 24, ['ada', 'bob'], 'Hello', '1.2.3'])
})

test('refuses a Source server that asks for challenge after challenge, and one whose answer breaks off', async (t) => {
  const again = await udp(t, (_asked, reply) => reply(Buffer.concat([single, Buffer.from('A'), challenge])))
  await assert.rejects(ask('source', again), /again and again/)
  const broken = await udp(t, (_asked, reply) => reply(sourceInfo(0).subarray(0, 20)))
  await assert.rejects(ask('source', broken), /ends too early|does not end/)
})

test('knows the count of a Source server that does not say who plays', async (t) => {
  const port = await udp(t, (asked, reply) => {
    if (asked[4] === 0x54) reply(sourceInfo(5))
    else reply(Buffer.concat([single, Buffer.from([0x44, 200])]))
  })
  const { online, names } = await ask('source', port)
  assert.deepEqual([online, names], [5, []])
})

test('reads the status of a Quake 3 server without its colours', async (t) => {
  const port = await udp(t, (_asked, reply) =>
    reply(
      Buffer.from(
        '\xff\xff\xff\xffstatusResponse\n\\sv_maxclients\\16\\sv_hostname\\^1Red^7 server\\version\\ioq3 1.36\n5 48 "^2ada"\n0 0 "bob"\n',
        'latin1',
      ),
    ),
  )
  const { online, max, names, description } = await ask('quake3', port)
  assert.deepEqual([online, max, names, description], [2, 16, ['ada', 'bob'], 'Red server'])
})

test('reads the older protocol of Teeworlds', async (t) => {
  const port = await udp(t, (asked, reply) => {
    if (asked.toString('latin1', 10, 14) !== 'gie3') return
    const fields = [
      '1',
      '0.6.4',
      'Hello',
      'dm1',
      'DM',
      '0',
      '1',
      '8',
      '2',
      '12',
      'ada',
      'clan',
      '276',
      '3',
      '1',
      'bob',
      '',
      '-1',
      '0',
      '0',
    ]
    reply(Buffer.concat([Buffer.alloc(10, 0xff), Buffer.from('inf3'), Buffer.from(`${fields.join('\0')}\0`)]))
  })
  const { online, max, names, version } = await ask('teeworlds', port)
  assert.deepEqual([online, max, names, version], [2, 12, ['ada', 'bob'], '0.6.4'])
})

test('takes what Luanti gives to a newcomer as its sign of life, and leaves again', async (t) => {
  const left = Promise.withResolvers<Buffer>()
  const port = await udp(t, (asked, reply) => {
    if (asked.length === 8) reply(Buffer.from('4f457403000100000000000000000a2b', 'hex').subarray(0, 14))
    else left.resolve(asked)
  })
  const { online, names } = await ask('luanti', port)
  assert.deepEqual([online, names], [null, []])
  assert.equal((await left.promise).length, 9)
})
