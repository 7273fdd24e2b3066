import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { Space } from './space.ts'
import { type Watched, watchSpace } from './watch.ts'

const mib = 1024 * 1024

/** Watches, with what `free` says is free on the disk at each look, until a look after which it is `enough`. */
async function watched(servers: Watched[], free: (round: number) => number, enough = () => true): Promise<void> {
  const looked = Promise.withResolvers<void>()
  let round = 0
  await using _watch = watchSpace({
    clock: {
      ...systemClock,
      sleep: async (_ms, signal) => {
        round += 1
        if (!enough()) return setImmediate()
        looked.resolve()
        await systemClock.sleep(60_000, signal)
      },
    },
    log: silentLog,
    freeBytes: async () => free(round),
    running: async () => servers,
  })
  await looked.promise
}

function watching() {
  const said: string[] = []
  const server = (id: string, used: () => number, stopping = false): Watched => ({
    id,
    stopping,
    space: new Space({ limitBytes: () => 100 * mib, measure: async () => used() * mib }),
    note: async (text) => void said.push(`${id}: ${text}`),
    end: async (how, why) => void said.push(`${how} ${id}: ${why}`),
  })
  return { said, server }
}

test('stops a server whose game has passed its limit, warns one that is near it, and leaves the others alone', async () => {
  const { said, server } = watching()
  await watched([server('over', () => 101), server('near', () => 96), server('fine', () => 50)], () => 1000 * mib)
  assert.equal(said.length, 2)
  assert.match(said[0] ?? '', /^stop over: The disk limit is exceeded: 101 of 100 MiB .* is stopped/)
  assert.match(said[1] ?? '', /^near: The disk is nearly full/)
})
test('kills a server that goes on writing instead of stopping, and waits for one that does not', async () => {
  const { said, server } = watching()
  await watched([server('writes', () => 120, true), server('saves', () => 105, true)], () => 1000 * mib)
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /^kill writes: .* is killed/)
})
test('counts anew only when the disk has lost as much as a server had left', async () => {
  const { server } = watching()
  const counted = { small: 0, large: 0 }
  const servers = [server('small', () => 50 + 0 * ++counted.small), server('large', () => 1 + 0 * ++counted.large)]
  await watched(
    servers,
    (round) => (round < 5 ? 1000 : 940) * mib,
    () => counted.small === 2,
  )
  assert.deepEqual(counted, { small: 2, large: 1 })
})
test('what is reserved, written, removed and measured adds up, and never wraps', async () => {
  let real = 10
  const space = new Space({ limitBytes: () => 100, measure: async () => real })
  await space.reserve(60)
  await assert.rejects(space.reserve(40), /disk limit/)
  for (const bytes of [Number.MAX_VALUE, -1, 0.5, Number.NaN]) await assert.rejects(space.reserve(bytes))
  space.written(60)
  assert.equal(space.usedBytes, 70)
  space.removed(1000)
  assert.equal(space.usedBytes, 0)
  real = 90
  await space.refresh(0)
  assert.equal(space.usedBytes, 90)
})
