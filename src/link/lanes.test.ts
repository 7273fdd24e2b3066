import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { silentLog } from '../lib/log.ts'
import {
  acceptLinks,
  type Dialler,
  dialLink,
  type Greeted,
  type Link,
  type LinkLimits,
  type LinkStream,
} from './index.ts'
import {
  Arrivals,
  openTransport,
  type TestEnd,
  type TransportName,
  testEvents,
  transportNames,
} from './testing/pairs.ts'

const MiB = 1024 * 1024
/** Only a test that fails waits so long. */
const patienceMs = 60_000

for (const transport of transportNames) {
  describe(`the connections of a link over ${transport}`, () => {
    it('stay one while streams carry little', async () => {
      await using world = await openWorld(transport)
      for (let n = 0; n < 20; n += 1) {
        const { near, far } = await world.stream('dialler')
        far.pipe(far)
        near.end(Buffer.alloc(10_000))
        assert.equal((await buffer(near)).length, 10_000)
      }
      assert.equal(world.channels.length, 1)
    })

    for (const opener of ['dialler', 'acceptor'] as const) {
      it(`keep the bytes of streams that the ${opener} opens in order while they move, both ways`, async () => {
        await using world = await openWorld(transport)
        const results = await Promise.all(
          Array.from({ length: 12 }, async (_, n) => {
            const { near, far } = await world.stream(opener)
            const [there, back] = [randomBytes(3 * MiB + n), randomBytes(2 * MiB + n)]
            const received = Promise.all([buffer(far), buffer(near)])
            near.end(there)
            far.end(back)
            const [a, b] = await received
            return digest(a) === digest(there) && digest(b) === digest(back)
          }),
        )
        assert.ok(results.every(Boolean))
        assert.ok(world.channels.length > 1, 'bulk has moved')
        assert.ok(world.channels.length <= 9, `${world.channels.length} connections`)
      })
    }

    it('let a stream go on and on between little and much', async () => {
      await using world = await openWorld(transport)
      const { near, far } = await world.stream('dialler')
      const sent = createHash('sha256')
      const received = createHash('sha256')
      let bytes = 0
      far.on('data', (chunk: Buffer) => {
        received.update(chunk)
        bytes += chunk.length
      })
      let total = 0
      for (let n = 0; n < 2; n += 1) {
        if (n > 0) await pause(1_100) // longer than the second after which a quiet stream counts as small again
        for (const size of [10, 500_000, 700_000, 30]) {
          const chunk = randomBytes(size)
          sent.update(chunk)
          total += size
          near.write(chunk)
          await until(() => bytes === total)
        }
      }
      assert.equal(received.digest('hex'), sent.digest('hex'))
    })

    it('take the streams along that they carry when they break, and no others', async () => {
      await using world = await openWorld(transport)
      const quiet = await world.stream('dialler')
      const bulk = await world.stream('dialler')
      const failed = Promise.all([once(bulk.near, 'error'), once(bulk.far, 'error')])
      await carryOver(bulk, world.channels)
      world.channels[1]?.destroy()
      for (const [error] of await failed) assert.equal(error.code, 'lost')
      quiet.far.pipe(quiet.far)
      quiet.near.end('still here')
      assert.equal(String(await buffer(quiet.near)), 'still here')
      const again = await world.stream('acceptor')
      again.near.end(Buffer.alloc(2 * MiB))
      assert.equal((await buffer(again.far)).length, 2 * MiB)
    })

    it('end with the first', async () => {
      await using world = await openWorld(transport)
      const bulk = await world.stream('dialler')
      const failed = once(bulk.near, 'error')
      await carryOver(bulk, world.channels)
      world.channels[0]?.destroy()
      assert.equal((await world.dialler.link.closed).code, 'lost')
      await failed
      await Promise.all(world.channels.map((channel) => over(channel)))
    })

    it('close once they are idle, and open again when they are needed', async () => {
      await using world = await openWorld(transport, { bulkIdleMs: 40 })
      const open = (): Duplex[] => world.channels.slice(1).filter((channel) => !channel.closed)
      for (let round = 0; round < 2; round += 1) {
        const { near, far } = await world.stream('acceptor')
        const sending = send(near)
        far.resume()
        await until(() => open().length > 0)
        sending.stop()
        near.destroy()
        await until(() => open().length === 0)
      }
      assert.equal(world.channels[0]?.destroyed, false)
    })

    it('are asked for once for each stream', async () => {
      await using world = await openWorld(transport)
      for (let n = 1; n <= 3; n += 1) {
        const { near, far } = await world.stream('acceptor')
        far.resume()
        send(near)
        await until(() => world.channels.length === 1 + n)
      }
      await pause(50)
      assert.equal(world.channels.length, 4)
    })

    it('are not needed: everything works on one', async () => {
      await using world = await openWorld(transport, {}, 1)
      const results = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const { near, far } = await world.stream('dialler')
          const content = randomBytes(2 * MiB)
          near.end(content)
          const received = await buffer(far)
          return received.equals(content)
        }),
      )
      assert.ok(results.every(Boolean))
      assert.equal(world.channels.length, 1)
    })

    it('are no loss when further ones cannot be made', async () => {
      await using world = await openWorld(transport, { joinMs: 20 }, 9, (attempt) => attempt > 0)
      for (const opener of ['dialler', 'acceptor'] as const) {
        const { near, far } = await world.stream(opener)
        near.end(Buffer.alloc(4 * MiB))
        assert.equal((await buffer(far)).length, 4 * MiB)
      }
      assert.equal(world.channels.length, 1)
    })
  })
}

interface World extends AsyncDisposable {
  dialler: Pick<TestEnd, 'link' | 'streams'>
  acceptor: Pick<TestEnd, 'link' | 'streams'>
  /** The dialling end of each connection, in the order they were made. */
  channels: Duplex[]
  stream(opener: 'dialler' | 'acceptor'): Promise<{ near: LinkStream; far: LinkStream }>
}

async function openWorld(
  transport: TransportName,
  limits: Partial<LinkLimits> = {},
  lanes = 9,
  fails: (attempt: number) => boolean = () => false,
): Promise<World> {
  await using cleanup = new AsyncDisposableStack()
  const [accepted, dialled] = [testEvents(), testEvents()]
  const opened = new Arrivals<Link>()
  const greeted: Greeted = { welcome: null, events: accepted.events, opened: (link) => opened.add(link) }
  const acceptor = cleanup.use(acceptLinks({ greet: async () => greeted, log: silentLog, limits }))
  const opens = cleanup.use(await openTransport(transport, acceptor))
  const channels: Duplex[] = []
  let attempts = 0
  const dial = async (signal: AbortSignal) => {
    if (fails(attempts++)) throw new Error('no route to host')
    const channel = await opens.dialler(signal)
    channels.push(channel.duplex)
    return channel
  }
  const dialler: Dialler = Object.assign(dial, { lanes })
  const link = await dialLink({ dialler, hello: null, events: dialled.events, limits })
  cleanup.defer(() => link.close('the test is over'))
  const ends = {
    dialler: { link, streams: dialled.streams },
    acceptor: { link: await opened.next(), streams: accepted.streams },
  }
  const keep = cleanup.move()
  return {
    ...ends,
    channels,
    async stream(opener) {
      const near = ends[opener].link.open(null)
      const { stream: far } = await ends[opener === 'dialler' ? 'acceptor' : 'dialler'].streams.next()
      for (const stream of [near, far]) stream.on('error', () => undefined)
      return { near, far }
    },
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  }
}

/** Everything that is received until the other end has ended; unlike `stream/consumers` leaves the stream open for sending. */
async function buffer(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** Sends without end from `far` to `near` until a connection beside the first carries it. */
async function carryOver({ near, far }: { near: LinkStream; far: LinkStream }, channels: Duplex[]): Promise<void> {
  near.resume()
  send(far)
  let seen = 0
  const bulk = (await until(() => channels[1] ?? null)) as Duplex
  bulk.on('data', (bytes: Buffer) => {
    seen += bytes.length
  })
  await until(() => seen > MiB)
}

/** Sends without end, until it is told to stop or the stream is over. */
function send(stream: LinkStream): { stop(): void } {
  const chunk = Buffer.alloc(64 * 1024)
  const more = (): void => {
    while (!stream.destroyed && stream.write(chunk)) {}
  }
  stream.on('drain', more)
  more()
  return { stop: () => void stream.off('drain', more) }
}

async function over(channel: Duplex): Promise<void> {
  if (!channel.closed) await once(channel, 'close')
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `probe` answers something; the generous bound only ends a test that fails. */
async function until<T>(probe: () => T): Promise<T> {
  const end = Date.now() + patienceMs
  while (Date.now() < end) {
    const found = probe()
    if (found) return found
    await pause(1)
  }
  return assert.fail('it never happened')
}
