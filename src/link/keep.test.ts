import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../lib/log.ts'
import {
  acceptLinks,
  type Channel,
  type Dialler,
  type Greeted,
  type KeptLink,
  keepLink,
  type LinkAcceptor,
  type LinkEnd,
  LinkError,
  memoryPair,
} from './index.ts'
import { Arrivals, testEvents } from './testing/pairs.ts'

const backoff = { firstMs: 1, mostMs: 4 }

describe('a kept link', () => {
  it('comes back each time it is cut', async () => {
    await using world = openWorld()
    for (let n = 0; n < 5; n++) {
      const link = await world.kept.up()
      assert.equal(world.kept.current, link)
      assert.equal(link.greeting, 'welcome')
      world.cut()
      assert.equal((await world.downs.next()).end.code, 'lost')
      assert.equal(world.kept.current, null)
    }
    await world.kept.up()
  })

  it('says hello anew each time', async () => {
    let hellos = 0
    await using world = openWorld({ hello: () => ++hellos })
    await world.kept.up()
    world.cut()
    await world.downs.next()
    await world.kept.up()
    assert.deepEqual([await world.hellos.next(), await world.hellos.next()], [1, 2])
  })

  it('waits longer from try to try while nothing answers, up to the limit', async () => {
    const waits: number[] = []
    await using world = openWorld({
      dialler: () => Promise.reject(new LinkError('lost', 'nothing answers')),
      backoff: { firstMs: 1, mostMs: 8 },
    })
    for (let n = 0; n < 6; n++) waits.push((await world.downs.next()).retryMs)
    for (const [n, plain] of [1, 2, 4, 8, 8, 8].entries()) {
      const ms = Number(waits[n])
      assert.ok(Math.abs(ms - plain) <= plain / 4 + 0.5, `wait ${n} was ${ms} ms`)
    }
  })

  it('waits about a second at most for a peer that was here a moment ago, but longer for one that ends each link at once', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    for (const [livedMs, least, most] of [
      [60_000, 750, 1_250],
      [0, 6_000, 10_000],
    ] as const) {
      await using world = openWorld({ backoff: { firstMs: 8_000, mostMs: 15_000 } })
      await world.kept.up()
      t.mock.timers.tick(livedMs)
      world.cut()
      const { retryMs } = await world.downs.next()
      assert.ok(retryMs >= least && retryMs <= most, `${retryMs} ms`)
    }
  })

  it('waits longer again for a peer that has been away for a minute', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    let away = false
    await using world = openWorld({
      wrap: (dialler) => (signal) =>
        away ? Promise.reject(new LinkError('lost', 'nothing answers')) : dialler(signal),
      backoff: { firstMs: 8_000, mostMs: 15_000 },
    })
    await world.kept.up()
    t.mock.timers.tick(60_000)
    away = true
    world.cut()
    await world.downs.next()
    t.mock.timers.tick(60_000)
    const { retryMs } = await world.downs.next()
    assert.ok(retryMs >= 6_000, `${retryMs} ms`)
  })

  it('waits the longest time at once when it is refused as unauthorised, and comes back when that changes', async () => {
    let allowed = false
    await using world = openWorld({
      greet: async () => {
        if (!allowed) throw new LinkError('unauthorized', 'the token was revoked')
        return greeted()
      },
    })
    const { end, retryMs } = await world.downs.next()
    assert.deepEqual(end, { code: 'unauthorized', reason: 'the token was revoked' })
    assert.ok(retryMs >= 3 && retryMs <= 5)
    allowed = true
    await world.kept.up()
  })

  it('survives a dialler that throws what it should not', async () => {
    let broken = true
    await using world = openWorld({
      wrap: (dialler) => (signal) => (broken ? Promise.reject(new TypeError('a bug')) : dialler(signal)),
    })
    assert.equal((await world.downs.next()).end.code, 'lost')
    broken = false
    await world.kept.up()
  })

  it('ends at once when it is disposed of while it waits to try again, and tells who waits for it', async () => {
    await using world = openWorld({
      dialler: () => Promise.reject(new LinkError('lost', 'nothing answers')),
      backoff: { firstMs: 3_600_000, mostMs: 3_600_000 },
    })
    await world.downs.next()
    const waiting = assert.rejects(world.kept.up(), { code: 'closed' })
    await world.kept[Symbol.asyncDispose]()
    await waiting
    await assert.rejects(world.kept.up(), { code: 'closed' })
  })

  it('ends at once when it is disposed of while it dials, also into a network that never answers', async () => {
    await using world = openWorld({
      dialler: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    await world.kept[Symbol.asyncDispose]()
    assert.equal(world.kept.current, null)
  })

  it('closes its link when it is disposed of, and does not dial again', async () => {
    await using world = openWorld()
    const link = await world.kept.up()
    await world.kept[Symbol.asyncDispose]()
    assert.equal((await link.closed).code, 'closed')
    assert.equal(world.kept.current, null)
  })

  it('stops one who waits when their signal says so', async () => {
    await using world = openWorld({ dialler: () => Promise.reject(new LinkError('lost', 'nothing answers')) })
    const signal = AbortSignal.abort(new Error('no patience'))
    await assert.rejects(world.kept.up(signal), /no patience/)
  })
})

interface World extends AsyncDisposable {
  kept: KeptLink
  acceptor: LinkAcceptor
  downs: Arrivals<{ end: LinkEnd; retryMs: number }>
  hellos: Arrivals<unknown>
  cut(): void
}

interface WorldOptions {
  hello?(): unknown
  greet?(): Promise<Greeted>
  dialler?: Dialler
  wrap?(dialler: Dialler): Dialler
  backoff?: { firstMs: number; mostMs: number }
}

function openWorld(o: WorldOptions = {}): World {
  const hellos = new Arrivals<unknown>()
  const downs: World['downs'] = new Arrivals()
  const greet = async (hello: unknown): Promise<Greeted> => {
    hellos.add(hello)
    return o.greet ? o.greet() : greeted()
  }
  const acceptor = acceptLinks({ greet, log: silentLog })
  let channel: Channel | undefined
  const memory: Dialler = async () => {
    const [left, right] = memoryPair()
    acceptor.accept(right)
    channel = left
    return left
  }
  const kept = keepLink({
    dialler: o.dialler ?? o.wrap?.(memory) ?? memory,
    hello: o.hello ?? (() => 'hello'),
    events: testEvents().events,
    onDown: (end, retryMs) => downs.add({ end, retryMs }),
    log: silentLog,
    backoff: o.backoff ?? backoff,
  })
  return {
    kept,
    acceptor,
    downs,
    hellos,
    cut: () => channel?.duplex.destroy(),
    async [Symbol.asyncDispose]() {
      await kept[Symbol.asyncDispose]()
      await acceptor[Symbol.asyncDispose]()
    },
  }
}

const greeted = (): Greeted => ({ welcome: 'welcome', events: testEvents().events })
