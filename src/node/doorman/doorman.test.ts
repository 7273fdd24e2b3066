import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { patienceMs } from '../../../test/patience.ts'
import { reservePort } from '../../../test/ports.ts'
import { until } from '../../../test/world/servers-world.ts'
import type { ServerSpec } from '../../contract/node.ts'
import { systemClock } from '../../lib/clock.ts'
import { readVarInt } from '../../lib/minecraft/handshake.ts'
import { handshakePacket, loginPacket, statusRequest } from '../../lib/testing/minecraft.ts'
import { makeSpec, openWorld, printed, reached, running, type World } from '../testing/world.ts'
import { queryGame } from '../watching/query/index.ts'
import { raknetMagic } from './judge.ts'
import { idleLookEveryMs, wakesPerHourMax, wakesWindowMs } from './limits.ts'

/** A game that listens on its port: answers web requests, and repeats whatever else it hears, as does its UDP port where it has one. */
const game = `
if (require('node:fs').existsSync('broken')) process.exit(7)
const port = Number(process.env.SERVER_PORT)
const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    if (String(bytes).startsWith('GET ')) socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nup')
    else socket.write('game: ' + bytes)
  })
  socket.on('end', () => socket.end())
})
server.listen(port, '0.0.0.0', () => {
  const udp = process.env.UDP && require('node:dgram').createSocket('udp4')
  udp && udp.on('message', (bytes, from) => udp.send('game: ' + bytes, from.port, from.address))
  if (udp) udp.bind(port, '0.0.0.0', () => console.log('Ready to play'))
  else console.log('Ready to play')
})
process.on('SIGTERM', () => process.exit(0))
`

type TemplateParts = NonNullable<Parameters<typeof makeSpec>[0]>

const sleepy = (parts: TemplateParts = {}): Promise<ServerSpec> =>
  makeSpec(
    {
      files: [{ path: 'game.cjs', content: game }],
      stop: { by: 'signal', signal: 'SIGTERM' },
      ...parts,
    },
    { wake: { idleMinutes: 1 }, restartOnCrash: false },
  )

const minecraft: TemplateParts = { query: { kind: 'minecraft', port: 'primary' } }
const portOf = (spec: ServerSpec): number => spec.allocations[0]?.port ?? assert.fail('no port')

/** A server that has run and fell asleep. */
async function asleep({ servers }: World, spec: ServerSpec): Promise<ServerSpec> {
  await running(servers, spec)
  await servers.get(spec.id).fallAsleep('No players for a minute')
  await reached(servers, spec.id, 'sleeping')
  await listening(portOf(spec))
  return spec
}

/** Resolves once somebody listens there. */
async function listening(port: number): Promise<void> {
  await until(`somebody listens on ${port}`, async () => {
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    return open
  })
}

function visitor(t: TestContext, port: number, ...says: (string | Buffer)[]): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  if (says.length > 0) socket.write(Buffer.concat(says.map((part) => Buffer.from(part))))
  return socket
}

const next = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0])

/** Everything until the other end has gone. */
async function all(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  socket.once('end', () => socket.end())
  await once(socket, 'close')
  return Buffer.concat(parts)
}

/** What the game shows of an answer, and what comes behind it. */
function shown(answer: Buffer): { json: Record<string, unknown>; rest: Buffer } {
  const length = readVarInt(answer, 0)
  assert.ok(typeof length === 'object', `no packet: ${answer.toString('hex')}`)
  const text = readVarInt(answer, length.end + 1)
  assert.ok(typeof text === 'object')
  const end = length.end + length.value
  return { json: JSON.parse(answer.toString('utf8', text.end, end)), rest: answer.subarray(end) }
}

const browserRequest = 'GET /map HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*\r\n\r\n'
const napsOf = ({ servers }: World, { id }: ServerSpec): string[] =>
  (servers.get(id).state().naps ?? []).map(({ kind, why }) => `${kind}: ${why}`)

for (const runtime of ['process', 'sandbox'] as const)
  test(`${runtime}: who connects and speaks wakes the server and is led to it with the very first byte`, async (t) => {
    const world = await openWorld(t, { runtime })
    const { servers } = world
    const spec = await asleep(world, await sleepy())
    assert.match(servers.get(spec.id).state().message ?? '', /^Sleeping: whoever connects/)
    const first = visitor(t, portOf(spec), 'hello')
    const second = visitor(t, portOf(spec), 'me too')
    assert.deepEqual(await Promise.all([next(first), next(second)]), ['game: hello', 'game: me too'])
    first.write('more')
    assert.equal(await next(first), 'game: more')
    first.end()
    await once(first, 'end')
    await reached(servers, spec.id, 'running')
    assert.deepEqual(napsOf(world, spec), [
      'slept: No players for a minute',
      `woke: Somebody connected to port ${portOf(spec)}`,
    ])
    await printed(servers, spec.id, 'it wakes up')
  })

test('a browser gets a page that asks again, a program its answer once the server is up', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await asleep(world, await sleepy())
  const page = (await all(visitor(t, portOf(spec), browserRequest))).toString()
  assert.match(page, /^HTTP\/1\.1 503 /)
  assert.match(page, /\r\nPharos-Waiting: 1\r\n/)
  assert.match(page, /script-src 'sha256-[^']+'/)
  assert.match(page, /<h1>lobby<\/h1>/)
  await reached(world.servers, spec.id, 'running')
  await world.servers.get(spec.id).fallAsleep('Nobody connected for a minute')
  await reached(world.servers, spec.id, 'sleeping')
  await listening(portOf(spec))
  const answer = await all(visitor(t, portOf(spec), 'GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n'))
  assert.match(answer.toString(), /200 OK[\s\S]*up$/)
})

test('Minecraft: the list of servers shows that it sleeps, and neither that nor a scanner wakes it', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await asleep(world, await sleepy(minecraft))
  const port = portOf(spec)
  const ping = Buffer.from('09010102030405060708', 'hex')
  const handshake = (more: number) => handshakePacket({ host: 'play.example.org', next: more, protocolVersion: 765 })
  const { json, rest } = shown(await all(visitor(t, port, handshake(1), statusRequest, ping)))
  assert.deepEqual(json, {
    version: { name: 'Sleeping', protocol: 765 },
    players: { max: 0, online: 0 },
    description: { text: 'lobby is asleep: join to wake it.' },
  })
  assert.deepEqual(rest, ping)
  assert.equal((await all(visitor(t, port, Buffer.from('fe01fa', 'hex'))))[0], 0xff)
  for (const noise of [
    browserRequest,
    Buffer.from('160301020001', 'hex'),
    Buffer.concat([handshake(2), loginPacket('§c')]),
  ])
    assert.equal((await all(visitor(t, port, noise))).length, 0)
  visitor(t, port).destroy()
  visitor(t, port, handshake(2)).destroy()
  assert.equal(world.servers.get(spec.id).state().phase, 'sleeping')

  // Who joins is kept, and the game hears every byte.
  const player = visitor(t, port, handshake(2), loginPacket('Bob'))
  assert.match(await next(player), /^game: /)
  assert.deepEqual(napsOf(world, spec).slice(1), ['woke: Bob joined'])
})

test('Minecraft: who would have to wait too long is told so in the game’s words, and the list says that it starts', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await sleepy({
    ...minecraft,
    start: { command: ['node', 'game.cjs'], ready: 'Ready to play', timeoutSeconds: 60 },
  })
  const { servers } = world
  await asleep(world, spec)
  // A start that takes half a minute is remembered.
  const folder = join(world.dataDir, 'servers', spec.id)
  await servers[Symbol.asyncDispose]()
  const record = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8'))
  assert.ok(record.lastStartMs > 0)
  await writeFile(join(folder, 'run.json'), JSON.stringify({ ...record, lastStartMs: 40_000 }))
  await world.reopen()
  await listening(portOf(spec))
  const login = [handshakePacket({ host: 'x' }), loginPacket('Bob')]
  const { json } = shown(await all(visitor(t, portOf(spec), ...login)))
  assert.match(String(json.text), /^Starting\n\nlobby is starting, which takes about 40 seconds/)
  await reached(world.servers, spec.id, 'running')
})

test('a datagram wakes it, and the game has the port then', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await sleepy({
    protocols: ['udp'],
    start: { command: ['node', 'game.cjs'], environment: { UDP: '1' }, ready: 'Ready to play', timeoutSeconds: 60 },
  })
  await running(world.servers, spec)
  await world.servers.get(spec.id).fallAsleep('Nobody')
  await reached(world.servers, spec.id, 'sleeping')
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const answered = once(socket, 'message')
  // A game's client sends again until it is answered.
  const again = setInterval(() => socket.send('knock', portOf(spec), '127.0.0.1'), 50)
  t.after(() => clearInterval(again))
  assert.equal(String((await answered)[0]), 'game: knock')
  assert.equal(world.servers.get(spec.id).state().phase, 'running')
})

test('a Bedrock client sees it in its list, and only who connects wakes it', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await sleepy({ protocols: ['udp'], query: { kind: 'minecraft-bedrock', port: 'primary' } })
  await running(world.servers, spec)
  await world.servers.get(spec.id).fallAsleep('Nobody')
  await reached(world.servers, spec.id, 'sleeping')
  const clock = systemClock
  const seen = await until('a pong', async () =>
    queryGame('minecraft-bedrock', portOf(spec), { clock, signal: AbortSignal.timeout(patienceMs), waitMs: 500 }).catch(
      () => null,
    ),
  )
  assert.equal(seen?.description, 'lobby is asleep: join to wake it.')
  assert.equal(world.servers.get(spec.id).state().phase, 'sleeping')
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.send(Buffer.concat([Buffer.from([5]), raknetMagic, Buffer.alloc(40)]), portOf(spec), '127.0.0.1')
  await reached(world.servers, spec.id, 'running')
})

test('it sleeps on over a restart of the node and wakes without any panel; a stop makes it really offline', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await asleep(world, await sleepy())
  await world.reopen()
  assert.equal(world.servers.get(spec.id).state().phase, 'sleeping')
  await listening(portOf(spec))
  assert.equal(await next(visitor(t, portOf(spec), 'still there?')), 'game: still there?')
  await world.servers.get(spec.id).fallAsleep('Nobody')
  await reached(world.servers, spec.id, 'sleeping')
  await listening(portOf(spec))
  await world.servers.get(spec.id).power('stop')
  const { phase, message } = await reached(world.servers, spec.id, 'offline')
  assert.deepEqual([phase, message], ['offline', null])
  await assert.rejects(once(connect(portOf(spec), '127.0.0.1'), 'connect'), /ECONNREFUSED/)
})

test('start wakes it by hand; a suspension, a move and a switch that is turned off end its sleep', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const { servers } = world
  const spec = await asleep(world, await sleepy())
  const { wake: _, ...without } = spec
  let revision = 1
  for (const change of [
    { ...spec, suspended: true },
    { ...spec, held: { transfer: 'trf_1', why: 'it is being moved' } },
    without,
  ]) {
    await servers.get(spec.id).power('start')
    await reached(servers, spec.id, 'running')
    await servers.get(spec.id).fallAsleep('Nobody')
    await reached(servers, spec.id, 'sleeping')
    await listening(portOf(spec))
    await servers.put({ ...change, revision: ++revision })
    assert.equal(servers.get(spec.id).state().phase, 'offline')
    await assert.rejects(once(connect(portOf(spec), '127.0.0.1'), 'connect'), /ECONNREFUSED/)
    await servers.put({ ...spec, revision: ++revision })
  }
})

test('a server that may not start is not woken, and its visitor is told no more than that', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const { servers } = world
  const spec = await sleepy(minecraft)
  const second = await reservePort()
  spec.allocations.push({ id: 'second', port: second, tunnel: false })
  await asleep(world, spec)
  const squatter = createServer().listen(second, '0.0.0.0')
  t.after(() => squatter.close())
  await once(squatter, 'listening')
  const { json } = shown(await all(visitor(t, portOf(spec), handshakePacket({ host: 'x' }), loginPacket('Bob'))))
  assert.equal(json.text, 'Cannot be woken now\n\nlobby is asleep. It cannot start now: ask its owner.')
  const { phase, message } = servers.get(spec.id).state()
  assert.equal(phase, 'sleeping')
  assert.match(message ?? '', new RegExp(`TCP port ${second} is used by another program`))
})

test('visitors wake a server so often within an hour, and not once more', async (t) => {
  let now = 1_000_000
  const world = await openWorld(t, { runtime: 'process', clock: { ...systemClock, now: () => now } })
  const { servers } = world
  const spec = await asleep(world, await sleepy())
  const folder = join(world.dataDir, 'servers', spec.id)
  await servers[Symbol.asyncDispose]()
  const record = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8'))
  const recentWakes = Array.from({ length: wakesPerHourMax }, (_, n) => now - n)
  await writeFile(join(folder, 'run.json'), JSON.stringify({ ...record, recentWakes }))
  await world.reopen()
  await listening(portOf(spec))
  await assert.rejects(next(visitor(t, portOf(spec), 'hello')), () => true)
  assert.equal(world.servers.get(spec.id).state().phase, 'sleeping')
  assert.match(world.servers.get(spec.id).state().message ?? '', /woken it 12 times within an hour/)
  now += wakesWindowMs
  assert.equal(await next(visitor(t, portOf(spec), 'hello')), 'game: hello')
})

test('a door that cannot open says so and tries again; another server is told who has the port', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const { servers } = world
  const spec = await asleep(world, await sleepy())
  const other = await makeSpec({}, { allocations: spec.allocations })
  await servers.put(other)
  await reached(servers, other.id, 'offline')
  await assert.rejects(servers.get(other.id).power('start'), /is used by server lobby/)
  await servers.remove(other.id)
  await servers[Symbol.asyncDispose]()
  const squatter = createServer().listen(portOf(spec), '0.0.0.0')
  await once(squatter, 'listening')
  await world.reopen()
  await reached(world.servers, spec.id, ({ message }) => /cannot be kept open/.test(message ?? ''))
  squatter.close()
})

test('nobody is kept from a server that does not come: who waits is let go, and it is offline', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const spec = await sleepy()
  await asleep(world, spec)
  await writeFile(join(world.dataDir, 'servers', spec.id, 'data', 'broken'), '')
  const waiting = visitor(t, portOf(spec), 'hello')
  await once(waiting, 'close').catch(() => undefined)
  const { phase, lastExit } = await reached(world.servers, spec.id, 'offline')
  assert.deepEqual([phase, lastExit?.crashed], ['offline', true])
})

/** A world in which the time between two looks for idle servers passes at once, from `pass()` on. */
async function quickWorld(t: TestContext) {
  let now = 1_000_000
  let passes = false
  let looks = 0
  const clock = {
    now: () => now,
    async sleep(ms: number, signal?: AbortSignal) {
      if (ms !== idleLookEveryMs) return systemClock.sleep(ms, signal)
      if (passes) {
        now += ms
        looks += 1
      }
      return systemClock.sleep(10, signal)
    },
  }
  const world = await openWorld(t, { runtime: 'process', clock })
  const pass = (): void => {
    passes = true
  }
  return { world, pass, looks: (count: number) => until('it was looked for', () => looks >= count) }
}

test('a server that nobody is connected to for its whole time falls asleep; one open connection keeps it awake', async (t) => {
  const { world, pass, looks } = await quickWorld(t)
  const { servers } = world
  const spec = await running(servers, await sleepy())
  const player = visitor(t, portOf(spec), 'hello')
  await next(player)
  pass()
  await looks(10)
  assert.equal(servers.get(spec.id).state().phase, 'running')
  player.end()
  await once(player, 'end')
  await reached(servers, spec.id, 'sleeping')
  assert.deepEqual(napsOf(world, spec), ['slept: Nobody connected for a minute'])
  await printed(servers, spec.id, 'it goes to sleep')
})

test('a server of which nobody can tell is never put to sleep, and says why', async (t) => {
  const { world, pass, looks } = await quickWorld(t)
  const { servers } = world
  const spec = await sleepy({
    ...{ protocols: ['tcp', 'udp'] },
    start: { command: ['node', 'game.cjs'], environment: { UDP: '1' }, ready: 'Ready to play', timeoutSeconds: 60 },
  })
  await running(servers, spec)
  // Its game never answers what it is asked.
  const silent = await running(servers, await sleepy(minecraft))
  pass()
  await looks(20)
  const { phase, message } = servers.get(spec.id).state()
  assert.equal(phase, 'running')
  assert.match(message ?? '', /not put to sleep.*it listens on UDP/)
  assert.equal(servers.get(silent.id).state().phase, 'running')
})
