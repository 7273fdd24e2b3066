import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { Space } from './space.ts'
import { watchSpace } from './watch.ts'

const mib = 1024 * 1024

test('stops a server whose game has passed its limit, warns one that is near it, and leaves the others alone', async () => {
  const notes: string[] = []
  const stopped: string[] = []
  const looked = Promise.withResolvers<void>()
  const server = (id: string, used: number) => ({
    id,
    space: new Space({ limitBytes: () => 100 * mib, measure: async () => used * mib }),
    note: async (text: string) => void notes.push(`${id}: ${text}`),
    stop: async () => void stopped.push(id),
  })
  const servers = [server('over', 101), server('near', 96), server('fine', 50)]
  await using _watch = watchSpace({
    clock: {
      ...systemClock,
      sleep: (_ms, signal) => {
        looked.resolve()
        return systemClock.sleep(60_000, signal)
      },
    },
    log: silentLog,
    running: async () => servers,
  })
  await looked.promise
  assert.deepEqual(stopped, ['over'])
  assert.equal(notes.length, 2)
  assert.match(notes[0] ?? '', /^over: The disk limit is exceeded: 101 of 100 MiB/)
  assert.match(notes[1] ?? '', /^near: The disk is nearly full/)
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
