import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { silentLog } from '../lib/log.ts'
import type { SealedPathLimits } from './datagrams/limits.ts'
import { type DatagramEndpoint, type LinkStream, listenDatagrams } from './index.ts'
import { Arrivals, openPair, type PairOptions, type TestPair } from './testing/pairs.ts'
import { bound, Relay } from './testing/relay.ts'
import { TestTicker } from './testing/ticker.ts'

interface World extends AsyncDisposable {
  pair: TestPair
  relay: Relay
  ticker: TestTicker
  endpoint: DatagramEndpoint
}

interface WorldOptions {
  limits?: Partial<SealedPathLimits>
  prepare?: (relay: Relay) => void
  onStream?: PairOptions['onStream']
}

/** A link with a sealed path through a relay; time stands still. */
async function openWorld({ limits = {}, prepare, onStream }: WorldOptions = {}): Promise<World> {
  await using cleanup = new AsyncDisposableStack()
  const ticker = new TestTicker()
  const relay = cleanup.use(await Relay.open())
  prepare?.(relay)
  const endpoint = cleanup.use(
    await listenDatagrams({ host: '127.0.0.1', port: 0, publicPort: relay.port, log: silentLog, ticker, limits }),
  )
  relay.target = endpoint.port
  const pair = cleanup.use(
    await openPair('tcp', { datagrams: endpoint, sealedPath: { ticker, limits }, ...(onStream ? { onStream } : {}) }),
  )
  const keep = cleanup.move()
  return { pair, relay, ticker, endpoint, [Symbol.asyncDispose]: () => keep.disposeAsync() }
}

async function up({ pair }: World): Promise<void> {
  assert.equal(await pair.dialler.paths.next(), 'udp')
  assert.equal(await pair.acceptor.paths.next(), 'udp')
}

interface Flow {
  /** The accepting end's side, and what it hears. */
  edge: LinkStream
  atEdge: Arrivals<string>
  agent: LinkStream
  atAgent: Arrivals<string>
}

/** A flow that the accepting end has opened, and that both ends have heard of. */
async function openFlow({ pair }: World): Promise<Flow> {
  const edge = pair.acceptor.link.open({ for: 'a player' })
  const { stream: agent } = await pair.dialler.streams.next()
  const [atEdge, atAgent] = [new Arrivals<string>(), new Arrivals<string>()]
  edge.onDatagram = (payload) => atEdge.add(payload.toString())
  agent.onDatagram = (payload) => atAgent.add(payload.toString())
  agent.sendDatagram(Buffer.from('hello'))
  assert.equal(await atEdge.next(), 'hello')
  return { edge, atEdge, agent, atAgent }
}

async function exchange({ edge, atEdge, agent, atAgent }: Flow, word: string): Promise<void> {
  edge.sendDatagram(Buffer.from(`${word} there`))
  assert.equal(await atAgent.next(), `${word} there`)
  agent.sendDatagram(Buffer.from(`${word} back`))
  assert.equal(await atEdge.next(), `${word} back`)
}

/** Counts the packets that pass, and lets them. */
function watch(relay: Relay): { onward: number; back: number } {
  const seen = { onward: 0, back: 0 }
  relay.onward = (packet) => {
    seen.onward += 1
    return [packet]
  }
  relay.back = (packet) => {
    seen.back += 1
    return [packet]
  }
  return seen
}

const swallow = (): Buffer[] => []

describe('the sealed path', () => {
  it('carries datagrams both ways once it is up', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const seen = watch(world.relay)
    await exchange(flow, 'one')
    await exchange(flow, 'two')
    assert.ok(seen.onward >= 2 && seen.back >= 2)
    assert.deepEqual(world.pair.dialler.link.datagrams, { via: 'udp', dropped: 0 })
  })

  it('shows nothing of what it carries', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const passed: Buffer[] = []
    world.relay.onward = (packet) => {
      passed.push(Buffer.from(packet))
      return [packet]
    }
    flow.agent.sendDatagram(Buffer.from('a secret word'))
    assert.equal(await flow.atEdge.next(), 'a secret word')
    assert.ok(passed.length > 0 && passed.every((packet) => !packet.includes('secret')))
  })

  it('carries many datagrams of a moment in few packets', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const seen = watch(world.relay)
    for (let index = 0; index < 40; index += 1) flow.agent.sendDatagram(Buffer.from(`${index}`.padStart(90)))
    for (let index = 0; index < 40; index += 1) assert.equal((await flow.atEdge.next()).trim(), `${index}`)
    // 1,200 bytes have room for twelve of them.
    assert.equal(seen.onward, 4)
  })

  it('leaves to the link’s connection what no packet has room for', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const seen = watch(world.relay)
    flow.agent.sendDatagram(Buffer.alloc(9000, 'x'))
    assert.equal((await flow.atEdge.next()).length, 9000)
    assert.equal(seen.onward, 0)
  })

  it('does not overtake the opening of a stream', async () => {
    const heard = new Arrivals<string>()
    await using world = await openWorld({
      onStream: (stream) => {
        stream.onDatagram = (payload) => heard.add(payload.toString())
      },
    })
    await up(world)
    for (const word of ['first', 'second', 'third']) {
      world.pair.acceptor.link.open(null).sendDatagram(Buffer.from(word))
      assert.equal(await heard.next(), word)
    }
  })

  it('survives what a bad network does: doubled, reordered, cut, changed and foreign packets', async () => {
    await using world = await openWorld({ limits: { strangePacketsMax: 1000 } })
    await up(world)
    const flow = await openFlow(world)
    let kept: Buffer | null = null
    world.relay.onward = (packet) => {
      const changed = Buffer.from(packet)
      changed[20] = (changed[20] ?? 0) ^ 1
      const header = Buffer.from(packet)
      header[15] = (header[15] ?? 0) ^ 0x40
      const out = [changed, header, packet.subarray(0, packet.length - 1), packet.subarray(0, 20), packet, packet]
      // Every other packet waits for the next one, and comes after it.
      if (!kept) {
        kept = packet
        return out.slice(0, 4)
      }
      const late = kept
      kept = null
      return [...out, late, late, randomBytes(200), Buffer.alloc(0)]
    }
    for (const word of ['one', 'two', 'three', 'four']) {
      flow.agent.sendDatagram(Buffer.from(word))
      await new Promise(setImmediate)
    }
    const heard = [
      await flow.atEdge.next(),
      await flow.atEdge.next(),
      await flow.atEdge.next(),
      await flow.atEdge.next(),
    ]
    assert.deepEqual(heard.sort(), ['four', 'one', 'three', 'two'])
    world.relay.onward = (packet) => [packet]
    await exchange(flow, 'still well')
  })

  it('takes no packet twice, even from where it is known', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const recorded: Buffer[] = []
    world.relay.onward = (packet) => {
      recorded.push(Buffer.from(packet))
      return [packet]
    }
    flow.agent.sendDatagram(Buffer.from('pay once'))
    assert.equal(await flow.atEdge.next(), 'pay once')
    for (let time = 0; time < 20; time += 1) for (const packet of recorded) world.relay.send(packet)
    flow.agent.sendDatagram(Buffer.from('and then'))
    assert.equal(await flow.atEdge.next(), 'and then')
  })

  it('answers nothing to strangers, whatever they send', async () => {
    await using world = await openWorld()
    const recorded: Buffer[] = []
    world.relay.onward = (packet) => {
      recorded.push(Buffer.from(packet))
      return [packet]
    }
    await up(world)
    const flow = await openFlow(world)
    const stranger = await bound()
    let answers = 0
    stranger.on('message', () => {
      answers += 1
    })
    const forged = (recorded[0] ?? Buffer.alloc(0)).subarray()
    for (let index = 0; index < 20; index += 1) {
      stranger.send(randomBytes(1 + index * 70), world.endpoint.port, '127.0.0.1')
      stranger.send(forged, world.endpoint.port, '127.0.0.1')
      const nearly = Buffer.from(forged)
      nearly.writeUInt32BE(1_000_000 + index, 12)
      stranger.send(nearly, world.endpoint.port, '127.0.0.1')
      await flushed()
    }
    await exchange(flow, 'unharmed')
    stranger.close()
    assert.equal(answers, 0)
  })

  it('listens to its known address while a stranger floods it', async () => {
    await using world = await openWorld({ limits: { strangePacketsMax: 3 } })
    const recorded: Buffer[] = []
    world.relay.onward = (packet) => {
      recorded.push(Buffer.from(packet))
      return [packet]
    }
    await up(world)
    const flow = await openFlow(world)
    const stranger = await bound()
    for (let index = 0; index < 20; index += 1) {
      const forged = Buffer.from(recorded[0] ?? Buffer.alloc(0))
      forged.writeUInt32BE(1_000_000 + index, 12)
      stranger.send(forged, world.endpoint.port, '127.0.0.1')
    }
    await exchange(flow, 'still heard')
    stranger.close()
  })

  it('follows a router that gives the agent another port', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    await exchange(flow, 'before')
    await world.relay.rebind()
    flow.agent.sendDatagram(Buffer.from('from elsewhere'))
    assert.equal(await flow.atEdge.next(), 'from elsewhere')
    const seen = watch(world.relay)
    await exchange(flow, 'after')
    assert.ok(seen.onward >= 1 && seen.back >= 1)
  })

  it('is not moved by an old packet from another address', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const held: Buffer[] = []
    world.relay.onward = (packet) => {
      held.push(Buffer.from(packet))
      return []
    }
    flow.agent.sendDatagram(Buffer.from('late'))
    await flushed()
    while (held.length === 0) await flushed()
    world.relay.onward = (packet) => [packet]
    await exchange(flow, 'newer')
    const stranger = await bound()
    stranger.send(held[0] ?? Buffer.alloc(0), world.endpoint.port, '127.0.0.1')
    assert.equal(await flow.atEdge.next(), 'late', 'it is genuine')
    await exchange(flow, 'not moved')
    stranger.close()
  })

  it('gives way to the link’s connection when it falls silent, and comes back by itself', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    const { relay, ticker, pair } = world
    relay.onward = swallow
    relay.back = swallow
    flow.edge.sendDatagram(Buffer.from('lost'))
    flow.agent.sendDatagram(Buffer.from('lost'))
    ticker.advance(3_500)
    assert.equal(await pair.dialler.paths.next(), 'frames')
    assert.equal(await pair.acceptor.paths.next(), 'frames')
    await exchange(flow, 'over the connection')
    relay.onward = (packet) => [packet]
    relay.back = (packet) => [packet]
    ticker.advance(10_000)
    await up(world)
    const seen = watch(relay)
    await exchange(flow, 'over the path')
    assert.ok(seen.onward >= 1 && seen.back >= 1)
  })

  it('gives way in both directions when one of them dies', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    world.relay.back = swallow
    flow.agent.sendDatagram(Buffer.from('heard'))
    assert.equal(await flow.atEdge.next(), 'heard')
    world.ticker.advance(3_500)
    assert.equal(await world.pair.dialler.paths.next(), 'frames')
    assert.equal(await world.pair.acceptor.paths.next(), 'frames')
    await exchange(flow, 'over the connection')
  })

  it('is tried for ever where it is blocked, and datagrams flow meanwhile', async () => {
    let swallowed = 0
    await using world = await openWorld({
      prepare: (relay) => {
        relay.onward = () => {
          swallowed += 1
          return []
        }
      },
    })
    const flow = await openFlow(world)
    await exchange(flow, 'over the connection')
    world.ticker.advance(120_000)
    // Five in the first half minute, then one every ten seconds.
    while (swallowed < 14) await flushed()
    assert.equal(world.pair.dialler.link.datagrams.via, 'frames')
    world.relay.onward = (packet) => [packet]
    world.ticker.advance(10_000)
    await up(world)
    await exchange(flow, 'over the path')
  })

  it('changes its keys under way without losing anything', async () => {
    await using world = await openWorld({ limits: { packetsPerKeyMax: 5 } })
    await up(world)
    const flow = await openFlow(world)
    const epochs = new Set<number | undefined>()
    let kept: Buffer | null = null
    world.relay.onward = (packet) => {
      epochs.add(packet[1])
      const late = kept
      kept = Buffer.from(packet)
      return late ? [packet, late] : [packet]
    }
    for (let index = 0; index < 60; index += 1) {
      await exchange(flow, `word ${index}`)
      if (index % 5 === 0) world.ticker.advance(500)
      await flushed()
    }
    assert.ok(epochs.size >= 4, `${epochs.size} keys`)
  })

  it('changes its keys after a while, also when little goes over it', async () => {
    await using world = await openWorld({ limits: { keyMs: 60_000 } })
    await up(world)
    const flow = await openFlow(world)
    const epochs = new Set<number | undefined>()
    for (let minute = 0; minute < 4; minute += 1) {
      // A ping, and the pong that says that the key of now is known.
      const answered = Promise.withResolvers<void>()
      world.relay.onward = (packet) => {
        epochs.add(packet[1])
        return [packet]
      }
      world.relay.back = (packet) => {
        answered.resolve()
        return [packet]
      }
      world.ticker.advance(500)
      await answered.promise
      await exchange(flow, `minute ${minute}`)
      world.ticker.skip(60_000)
      await exchange(flow, `and ${minute}`)
    }
    assert.ok(epochs.size >= 4, `${epochs.size} keys`)
  })

  it('ends with its link, and its endpoint forgets it', async () => {
    await using world = await openWorld()
    await up(world)
    const flow = await openFlow(world)
    world.pair.dialler.link.close('enough')
    await world.pair.acceptor.link.closed
    flow.edge.sendDatagram(Buffer.from('nobody'))
    flow.agent.sendDatagram(Buffer.from('nobody'))
    const seen = watch(world.relay)
    world.ticker.advance(60_000)
    assert.deepEqual(seen, { onward: 0, back: 0 })
  })

  it('is not taken by an end that was told never to', async () => {
    await using cleanup = new AsyncDisposableStack()
    const endpoint = cleanup.use(await listenDatagrams({ host: '127.0.0.1', port: 0, log: silentLog }))
    const pair = cleanup.use(await openPair('tcp', { datagrams: endpoint, sealedPath: 'never' }))
    const here = pair.dialler.link.open(null)
    const { stream } = await pair.acceptor.streams.next()
    const heard = new Arrivals<string>()
    stream.onDatagram = (payload) => heard.add(payload.toString())
    here.sendDatagram(Buffer.from('in the connection'))
    assert.equal(await heard.next(), 'in the connection')
    assert.equal(pair.dialler.link.datagrams.via, 'frames')
  })

  it('serves many links over one socket, each with its own keys', async () => {
    await using cleanup = new AsyncDisposableStack()
    const endpoint = cleanup.use(await listenDatagrams({ host: '127.0.0.1', port: 0, log: silentLog }))
    const worlds = []
    for (let index = 0; index < 5; index += 1) {
      const pair = cleanup.use(await openPair('tcp', { datagrams: endpoint }))
      assert.equal(await pair.dialler.paths.next(), 'udp')
      assert.equal(await pair.acceptor.paths.next(), 'udp')
      worlds.push(pair)
    }
    for (const [index, pair] of worlds.entries()) {
      const edge = pair.acceptor.link.open(index)
      const { stream } = await pair.dialler.streams.next()
      stream.onDatagram = (payload) => stream.sendDatagram(payload)
      const heard = new Arrivals<string>()
      edge.onDatagram = (payload) => heard.add(payload.toString())
      for (const word of ['first', 'second', 'third']) {
        edge.sendDatagram(Buffer.from(`${word} ${index}`))
        assert.equal(await heard.next(), `${word} ${index}`)
      }
    }
  })
})

const flushed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
