import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { reservePort } from '../../test/ports.ts'
import { readVarInt } from '../lib/minecraft/handshake.ts'
import { handshakePacket, loginPacket, statusRequest } from '../lib/testing/minecraft.ts'
import { LinkError } from '../link/index.ts'
import {
  acmeToken,
  eventually,
  handAgent,
  rawVisitor,
  type TestEdge,
  testEdge,
  umbrellaToken,
} from './testing/world.ts'

const host = 'survival.acme.localhost'
const ping = Buffer.from('09010102030405060708', 'hex')

const portOf = (edge: TestEdge): number => edge.minecraftPort ?? assert.fail('no Minecraft port')

/** What the game shows of an answer: the JSON text of its first packet, and what comes behind it. */
function shown(answer: Buffer): { json: Record<string, unknown>; rest: Buffer } {
  const length = readVarInt(answer, 0)
  assert.ok(typeof length === 'object', `no packet: ${answer.toString('hex')}`)
  assert.equal(answer[length.end], 0)
  const text = readVarInt(answer, length.end + 1)
  assert.ok(typeof text === 'object')
  const end = length.end + length.value
  return { json: JSON.parse(answer.toString('utf8', text.end, end)), rest: answer.subarray(end) }
}

async function ask(closer: AsyncDisposableStack, edge: TestEdge, bytes: Buffer): Promise<Buffer> {
  const visitor = await rawVisitor(closer, portOf(edge))
  visitor.socket.write(bytes)
  return await visitor.all
}

const status = async (closer: AsyncDisposableStack, edge: TestEdge, name: string) =>
  shown(await ask(closer, edge, Buffer.concat([handshakePacket({ host: name, next: 1 }), statusRequest, ping])))

const login = async (closer: AsyncDisposableStack, edge: TestEdge, name: string, next = 2) =>
  shown(await ask(closer, edge, Buffer.concat([handshakePacket({ host: name, next }), loginPacket('Bob')])))

test('servers of many workspaces share one port, and each gets its players’ bytes untouched', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { minecraftPort: 0 })
  const heard: [string, Buffer][] = []
  for (const token of [acmeToken, umbrellaToken]) {
    const agent = await handAgent(closer, edge, token, (stream, head) => {
      const { tunnelId, protocol } = head as { tunnelId: string; protocol: string }
      assert.equal(protocol, 'minecraft')
      const parts: Buffer[] = []
      stream.on('data', (part) => parts.push(part))
      stream.on('end', () => {
        heard.push([tunnelId, Buffer.concat(parts)])
        stream.end(`from ${tunnelId}`)
      })
    })
    const { url } = await agent.open({ kind: 'minecraft', name: 'survival' })
    const slug = token === acmeToken ? 'acme' : 'umbrella'
    assert.equal(url, `minecraft://survival.${slug}.localhost:${edge.minecraftPort}`)
  }
  const cases = [
    [host, 'acme/survival'],
    ['SURVIVAL.umbrella.localhost.', 'umbrella/survival'],
    ['survival-acme.localhost\0FML3\0', 'acme/survival'],
  ] as const
  for (const [name, tunnel] of cases) {
    const sent = Buffer.concat([handshakePacket({ host: name }), loginPacket('Bob'), Buffer.from('more')])
    const visitor = await rawVisitor(closer, portOf(edge))
    for (const byte of sent) visitor.socket.write(Buffer.from([byte]))
    visitor.socket.end()
    assert.equal((await visitor.all).toString(), `from ${tunnel}`)
    assert.deepEqual(heard.pop(), [tunnel, sent])
  }
})

test('tells players in the game’s own words: no such server, away, down, full', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { minecraftPort: 0 }, { limits: { visitorsPerTunnelMax: 1 } })
  const nobody = await status(closer, edge, host)
  assert.deepEqual(nobody.json, {
    version: { name: 'No tunnel here', protocol: -1 },
    players: { max: 0, online: 0 },
    description: { text: `Nothing is open at ${host}. Check the address, or open the tunnel again.` },
  })
  assert.deepEqual(nobody.rest, ping, 'the ping is echoed, so the list shows the entry at once')
  for (const next of [2, 3]) assert.match(String((await login(closer, edge, host, next)).json.text), /^No tunnel here/)

  const agent = await handAgent(closer, edge, acmeToken, (stream, head) => {
    if ((head as { tunnelId: string }).tunnelId === 'acme/down')
      // Once it has been sent something, as with a local port that refuses.
      stream.once('data', () => stream.destroy(new LinkError('unreachable', 'secret local detail')))
    else stream.write('welcome')
  })
  await agent.open({ kind: 'minecraft', name: 'down' })
  for (const answer of [
    await login(closer, edge, 'down.acme.localhost'),
    await status(closer, edge, 'down.acme.localhost'),
  ]) {
    assert.match(JSON.stringify(answer.json), /The service does not answer/)
    assert.doesNotMatch(JSON.stringify(answer.json), /secret/)
  }
  await agent.open({ kind: 'minecraft', name: 'full' })
  const player = await rawVisitor(closer, portOf(edge))
  player.socket.write(handshakePacket({ host: 'full.acme.localhost' }))
  await player.until('welcome')
  assert.match(String((await login(closer, edge, 'full.acme.localhost')).json.text), /^Too many connections/)

  agent.link.close('going')
  await player.all
  await eventually(
    async () => /is away/.test(String((await login(closer, edge, 'full.acme.localhost')).json.text)),
    'the agent is away',
  )
  assert.match(JSON.stringify((await status(closer, edge, 'full.acme.localhost')).json), /is away/)
})

test('a host that is no host name is not repeated to the player', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { minecraftPort: 0 })
  for (const name of ['§cfree coins at evil.example', '"},{"text":"x', '<script>', '', 'a b'])
    assert.match(String((await login(closer, edge, name)).json.text), /\n\nNothing is open at this address\./, name)
})

test('an old game’s ping gets an answer that it can read, everything else that is no handshake none', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer, { minecraftPort: 0 }, { limits: { helloTimeoutMs: 300 } })
  for (const bytes of ['fe01fa000b', 'fe01', 'fe']) {
    const answer = await ask(closer, edge, Buffer.from(bytes, 'hex'))
    assert.equal(answer[0], 0xff, bytes)
    assert.match(answer.subarray(3).swap16().toString('utf16le'), /Minecraft 1\.7/)
  }
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from('160301020001', 'hex'),
    handshakePacket({ host, next: 7 }),
    // Never complete.
    handshakePacket({ host }).subarray(0, 10),
  ])
    assert.equal((await ask(closer, edge, bytes)).length, 0)
})

test('where the port is taken the edge serves everything else, and refuses Minecraft tunnels in words', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await reservePort()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  closer.defer(() => {
    other.close()
  })
  const edge = await testEdge(closer, { minecraftPort: port })
  assert.equal(edge.minecraftPort, null)
  const agent = await handAgent(closer, edge, acmeToken)
  const refused = await agent.open({ kind: 'minecraft', name: 'survival' })
  assert.deepEqual([refused.type, refused.code], ['refused', 'unavailable'])
  assert.equal((await agent.open({ kind: 'tcp', name: 'survival' })).type, 'opened')
})
