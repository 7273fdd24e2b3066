import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import { ApiError } from '../../../client/index.ts'
import type { ServerEvent } from '../../../contract/api/servers.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Connection } from '../../command.ts'
import { followServer } from './follow.ts'

type Event = z.output<typeof ServerEvent>
type Step = Event | Error

const lines = (...seqs: number[]): Event => ({
  type: 'console',
  serverId: 'servers/1a7ce997',
  lines: seqs.map((seq) => ({ seq, at: null, text: `line ${seq}` })),
})

/** Follows a panel whose connections go like this; a connection that is an error is refused. */
async function follow(connections: (Step[] | Error)[]) {
  const asked: (number | undefined)[] = []
  const said: string[] = []
  const left = [...connections]
  const connection: Pick<Connection, 'serverEvents'> = {
    serverEvents: async ({ query }) => {
      asked.push(query?.backlog as number | undefined)
      const steps = left.shift() ?? []
      if (steps instanceof Error) throw steps
      return {
        async *[Symbol.asyncIterator]() {
          for (const step of steps) {
            if (step instanceof Error) throw step
            yield step
          }
        },
        send: () => undefined,
        close: () => undefined,
      }
    },
  }
  const clock: Clock = { now: () => 0, sleep: async () => undefined }
  const options = { signal: new AbortController().signal, talk: (line: string) => said.push(line), clock }
  const seen: number[] = []
  let error: unknown = null
  try {
    for await (const event of await followServer(connection, { serverId: '1a7ce997', backlog: 10 }, options))
      if (event.type === 'console') seen.push(...event.lines.map(({ seq }) => seq))
  } catch (thrown) {
    error = thrown
  }
  return { seen, said, asked, error }
}

const slow = new ApiError('unreachable', 'You read slower than the server speaks: connect again.')

test('goes on after the panel let go of it, says so, and shows no line twice', async () => {
  const { seen, said, asked, error } = await follow([
    [lines(1, 2, 3), slow],
    [lines(2, 3, 4), lines(5)],
  ])
  assert.deepEqual([seen, error], [[1, 2, 3, 4, 5], null])
  assert.deepEqual(asked, [10, 1000])
  assert.deepEqual(said, ['You read slower than the server speaks: connect again. Connecting again.'])
})

test('keeps trying while the panel is away, and says how many lines it missed', async () => {
  const { seen, said } = await follow([[lines(1), slow], new ApiError('unreachable', 'No answer.'), [lines(5, 6)]])
  assert.deepEqual(seen, [1, 5, 6])
  assert.deepEqual(said.slice(1), ['No answer. Connecting again.', '3 lines were missed.'])
})

test('ends with the reason where the right to the server has ended', async () => {
  const gone = new ApiError('forbidden', 'Your session or key has ended.')
  const { seen, error, asked } = await follow([[lines(1), gone]])
  assert.deepEqual([seen, error, asked.length], [[1], gone, 1])
})

test('ends where a new connection is refused', async () => {
  const unknown = new ApiError('not_found', 'Server 1a7ce997 was not found')
  const { error } = await follow([[lines(1), slow], unknown])
  assert.equal(error, unknown)
})
