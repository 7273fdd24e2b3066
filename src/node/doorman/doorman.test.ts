import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type ServerSpec, ServerSpec as Spec } from '../../contract/node.ts'
import { systemClock } from '../../lib/clock.ts'
import { readVarInt } from '../../lib/minecraft/handshake.ts'
import { handshakePacket, loginPacket, statusRequest } from '../../lib/testing/minecraft.ts'
import { makeSpec, openWorld, printed, reached, running, type World } from '../testing/world.ts'
import { wakesPerHourMax } from './limits.ts'

/** A game that listens on its port: answers web requests, and repeats whatever else it hears, as does its UDP port where it has one. */
const game = `
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
    { wake: { idleMinutes: 1 } },
  )

const minecraft: TemplateParts = { query: { kind: 'minecraft', port: 'primary' } }
const portOf = (spec: ServerSpec): number => spec.allocations[0]?.port ?? assert.fail('no port')

/** A server that has run and fell asleep. */
async function asleep({ servers }: World, spec: ServerSpec): Promise<ServerSpec> {
  await running(servers, spec)
  await servers.get(spec.id).fallAsleep('No players for a minute')
  await reached(servers, spec.id, 'sleeping')
  await doorOpen(portOf(spec))
  return spec
}

/** Resolves once somebody listens there. */
async function doorOpen(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (open) return
    await new Promise(setImmediate)
  }
}

function visitor(t: TestContext, port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  return socket
}

/** Everything until the other end is done. */
async function all(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  await once(socket, 'close').catch(() => undefined)
  return Buffer.concat(parts)
}

function shown(answer: Buffer): { json: Record<string, unknown>; rest: Buffer } {
  const length = readVarInt(answer, 0)
  assert.ok(typeof length === 'object', `no packet: ${answer.toString('hex')}`)
  const text = readVarInt(answer, length.end + 1)
  assert.ok(typeof text === 'object')
  const end = length.end + length.value
  return { json: JSON.parse(answer.toString('utf8', text.end, end)), rest: answer.subarray(end) }
}

test('who connects and speaks wakes the server and is led to it with the very first byte', async (t) => {
  const world = await openWorld(t, { runtime: 'process' })
  const { servers } = world
  const spec = await asleep(world, await sleepy())
  const state = servers.get(spec.id).state()
  assert.match(state.message ?? '', /^Sleeping: whoever connects/)
  assert.deepEqual(
    state.naps?.map(({ kind, why }) => [kind, why]),
    [['slept', 'No players for a minute']],
  )
  const first = visitor(t, portOf(spec))
  const second = visitor(t, portOf(spec))
  first.write('hello')
  second.write('me too')
  assert.equal(String((await once(first, 'data'))[0]), 'game: hello')
  assert.equal(String((await once(second, 'data'))[0]), 'game: me too')
  first.write('more')
  assert.equal(String((await once(first, 'data'))[0]), 'game: more')
  first.end()
  await once(first, 'end')
  assert.equal(servers.get(spec.id).state().phase, 'running')
  const naps = servers.get(spec.id).state().naps ?? []
  assert.deepEqual(
    naps.map(({ kind }) => kind),
    ['slept', 'woke'],
  )
  assert.equal(naps[1]?.why, `Somebody connected to port ${portOf(spec)}`)
  assert.equal(naps[1]?.address, null)
  await printed(servers, spec.id, 'it wakes up')
})
