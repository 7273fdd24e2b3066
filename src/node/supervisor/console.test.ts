import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ConsoleLine } from '../../contract/node.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { type Console, openConsole } from './console.ts'

async function inFolder(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-console-'))
  const opened: Console[] = []
  t.after(async () => {
    for (const console of opened) await console[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })
  return {
    log: join(folder, 'console.log'),
    open: async (): Promise<Console> => {
      const console = await openConsole({ folder, clock: systemClock, log: silentLog })
      opened.push(console)
      return console
    },
  }
}

const texts = (lines: readonly ConsoleLine[]): string[] => lines.map((line) => line.text)
const seqs = (lines: readonly ConsoleLine[]): number[] => lines.map((line) => line.seq)

test('answers the newest lines, oldest first, without one that is not finished', async (t) => {
  const { log, open } = await inFolder(t)
  await writeFile(log, 'one\ntwo\nthree\nhalf')
  const console = await open()
  assert.deepEqual(texts(await console.lines(2)), ['two', 'three'])
  assert.deepEqual(seqs(await console.lines(10)), [0, 1, 2])
  await appendFile(log, ' done\n')
  assert.deepEqual(texts(await console.lines(1)), ['half done'])
})

test('line numbers go on where they were after the node was killed', async (t) => {
  const { log, open } = await inFolder(t)
  await writeFile(log, 'a\nb\n')
  const first = await open()
  await first.beginRun()
  await appendFile(log, 'c\nd\n')
  // No close: as after kill -9, the index is older than the log.
  const second = await open()
  assert.deepEqual(seqs(await second.lines(2)), [2, 3])
  await first[Symbol.asyncDispose]()
})

test('a subscriber gets the backlog and then each line exactly once, whatever is written meanwhile', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  console.follow(true)
  const total = 5000
  const writing = (async () => {
    for (let line = 0; line < total; line += 50) {
      await appendFile(log, Array.from({ length: 50 }, (_, index) => `line ${line + index}\n`).join(''))
    }
  })()
  const got: number[] = []
  for (let subscriber = 0; subscriber < 5; subscriber++) {
    const seen: number[] = []
    await console.subscribe(1000, (lines) => {
      seen.push(...seqs(lines))
      if (subscriber === 0) got.push(...seqs(lines))
    })
    t.after(() => {
      for (const [index, seq] of seen.entries()) assert.equal(seq, (seen[0] ?? 0) + index)
      assert.equal(seen.at(-1), total - 1)
    })
  }
  await writing
  await console.catchUp()
  await new Promise(setImmediate)
  assert.equal(got.length, total)
})

test('hostile output becomes plain text', async (t) => {
  const { log, open } = await inFolder(t)
  await writeFile(
    log,
    Buffer.concat([
      Buffer.from('\u001b[31mred\u001b[0m\u0007 bell\n'),
      Buffer.from('\u001b]0;title\u0007after title\n'),
      Buffer.from('10%\r50%\r100%\r\n'),
      Buffer.from([0xff, 0xfe, 0x41, 0x0a]),
      Buffer.from('nul\u0000byte \u202eevil\n'),
      Buffer.from(`${'x'.repeat(100_000)}\n`),
      Buffer.from('next\n'),
    ]),
  )
  const lines = texts(await (await open()).lines(10))
  assert.equal(lines[0], 'red bell')
  assert.equal(lines[1], 'after title')
  assert.equal(lines[2], '100%')
  assert.equal(lines[3], '\ufffd\ufffdA')
  assert.equal(lines[4], 'nulbyte evil')
  assert.equal(lines[5]?.length, 8192)
  assert.equal(lines[6], 'next')
})

test('a long line that comes in pieces is one line', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  for (let piece = 0; piece < 5; piece++) {
    await appendFile(log, 'y'.repeat(50_000))
    await console.catchUp()
  }
  await appendFile(log, '\nshort\n')
  const lines = await console.lines(10)
  assert.deepEqual(
    lines.map((line) => line.text.length),
    [8192, 5],
  )
})

test('the log of a chatty server uses bounded disk space and keeps its numbers', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  const block = `${'z'.repeat(1023)}\n`.repeat(1024)
  let lines = 0
  for (let megabyte = 0; megabyte < 40; megabyte++) {
    await appendFile(log, block)
    await console.catchUp()
    lines += 1024
  }
  const { size, blocks } = await stat(log)
  assert.equal(size, 40 * 1024 * 1024)
  assert.ok(blocks * 512 < 20 * 1024 * 1024, `${blocks * 512} bytes used`)
  assert.deepEqual(
    seqs(await console.lines(1000)),
    Array.from({ length: 1000 }, (_, index) => lines - 1000 + index),
  )
  assert.ok((await console.lines(1000)).every((line) => line.text.length === 1023))
  const again = await open()
  assert.equal((await again.lines(1))[0]?.seq, lines - 1)
})

test('a server that cuts its own log breaks nothing', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  await appendFile(log, 'a\nb\nc\n')
  await console.catchUp()
  await truncate(log, 0)
  await console.catchUp()
  await appendFile(log, 'after\n')
  const lines = await console.lines(10)
  assert.deepEqual(texts(lines), ['after'])
  assert.deepEqual(seqs(lines), [3])
})

test('a server that makes its log look huge costs neither time nor memory', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  await appendFile(log, 'before\n')
  await console.catchUp()
  await truncate(log, 3 * 1024 ** 4)
  await appendFile(log, '\nafter\n')
  assert.deepEqual(texts(await console.lines(1)), ['after'])
  await console.beginRun()
  assert.ok((await stat(log)).size < 16 * 1024 * 1024)
  await appendFile(log, 'new run\n')
  assert.deepEqual(texts(await console.lines(1)), ['new run'])
  const seq = (await console.lines(1))[0]?.seq ?? 0
  assert.equal((await (await open()).lines(1))[0]?.seq, seq)
})

test('our own notes stand on lines of their own', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  await appendFile(log, 'prompt> ')
  await console.note('Installing')
  assert.deepEqual(texts(await console.lines(10)), ['prompt> ', '[pharos] Installing'])
})

test('finds a line only after the position where the run began', async (t) => {
  const { log, open } = await inFolder(t)
  const console = await open()
  await appendFile(log, 'Ready\nhalf')
  const begin = await console.beginRun()
  assert.equal(await console.contains((line) => line.includes('Ready'), begin), false)
  await appendFile(log, 'almost Rea')
  assert.equal(await console.contains((line) => line.includes('Ready'), begin), false)
  await appendFile(log, 'dy\n')
  assert.equal(await console.contains((line) => line.includes('Ready'), begin), true)
})
