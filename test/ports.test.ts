import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { firstLine } from './children.ts'
import { poolBeside, reservedTogetherMax, reservePorts } from './ports.ts'

test('ports in a row, given out once, which can be listened on', async () => {
  const ranges = await Promise.all([5, 1, reservedTogetherMax, 2].map(reservePorts))
  const all = ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, at) => first + at))
  assert.equal(all.length, 8 + reservedTogetherMax)
  assert.equal(new Set(all).size, all.length)
  for (const port of all) {
    const server = createServer().listen(port, '0.0.0.0')
    await once(server, 'listening')
    const socket = createSocket('udp4').bind(port)
    await once(socket, 'listening')
    socket.close()
    server.close()
    await once(server, 'close')
  }
})

test('refuses none, and more than a block has', async () => {
  for (const count of [0, -1, reservedTogetherMax + 1])
    await assert.rejects(reservePorts(count), /only 1 to/, String(count))
})

test('processes get different ones, each of which is held while its process lives', async (t) => {
  const program = `import { reservePorts, reservedTogetherMax } from ${JSON.stringify(join(import.meta.dirname, 'ports.ts'))}
    console.log((await reservePorts(reservedTogetherMax)).first)
    setInterval(() => undefined, 1000)`
  const children: ChildProcess[] = []
  t.after(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const firsts = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      return Number(await firstLine(child))
    }),
  )
  assert.equal(new Set(firsts).size, firsts.length)
  for (const first of firsts) {
    const intruder = createServer().listen(first - 1, '127.0.0.1')
    await assert.rejects(once(intruder, 'listening'), { code: 'EADDRINUSE' })
  }
})

test('takes them from beside the ports of outgoing connections, wherever those are', () => {
  for (const [ephemeral, expected] of [
    [
      { first: 32_768, last: 60_999 },
      { first: 10_000, last: 19_999 },
    ],
    [
      { first: 15_000, last: 60_999 },
      { first: 10_000, last: 14_999 },
    ],
    [
      { first: 1024, last: 60_999 },
      { first: 61_000, last: 65_535 },
    ],
    [
      { first: 1024, last: 65_535 },
      { first: 10_000, last: 19_999 },
    ],
  ] as const)
    assert.deepEqual(poolBeside(ephemeral), expected)
})
