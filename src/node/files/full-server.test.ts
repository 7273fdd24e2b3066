import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { serverFiles } from '../runtime.ts'
import { makeSpec, openWorld, printed, reached, running } from '../testing/world.ts'
import { openNodeFiles } from './index.ts'

/** A server that runs and may use 64 MiB, and the files of its node. */
async function openFullWorld(t: TestContext) {
  const world = await openWorld(t)
  const files = openNodeFiles({ ...world, clock: systemClock, log: silentLog })
  t.after(() => files[Symbol.asyncDispose]())
  const { id } = await running(world.servers, await makeSpec({}, { resources: { memory: 256, disk: 64, cpu: 1 } }))
  return { ...world, files, id, data: join(world.dataDir, 'servers', id, serverFiles.data) }
}

const writing = (name: string, mib: number): string =>
  `eval (() => { const part = Buffer.alloc(${mib} << 20, 1); require('fs').writeFileSync('${name}', part); return part.length })()`

test('a game that fills its disk is stopped, its console and its state say why, and it starts again when there is room', async (t) => {
  const { servers, id, data } = await openFullWorld(t)
  const told = printed(servers, id, 'The disk limit is exceeded')
  await servers.get(id).command(writing('world.bin', 80))
  assert.match(await told, /\d+ of 64 MiB are used\. The server is stopped; delete some files or raise the limit/)
  const { message, lastExit } = await reached(servers, id, 'offline')
  assert.match(message ?? '', /The disk limit is exceeded/)
  assert.equal(lastExit?.crashed, false)
  await assert.rejects(servers.get(id).power('start'), { code: 'conflict', message: /may use 64 MiB; delete files/ })
  await rm(join(data, 'world.bin'))
  await servers.get(id).power('start')
  assert.equal((await reached(servers, id, 'running')).message, null)
})

test('a game that goes on filling the disk instead of stopping is killed', async (t) => {
  const { servers, id } = await openFullWorld(t)
  await servers.get(id).command('deaf')
  await printed(servers, id, 'deaf now')
  const killed = printed(servers, id, 'went on writing instead of stopping')
  const stopping = reached(servers, id, 'stopping')
  await servers.get(id).command(writing('one.bin', 66))
  await stopping
  await servers.get(id).command(writing('two.bin', 40))
  await killed
  const { lastExit, message } = await reached(servers, id, 'offline')
  assert.equal(lastExit?.crashed, false)
  assert.match(message ?? '', /is killed/)
})
