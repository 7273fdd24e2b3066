import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { ApiError, createClient, openSocket } from '../src/client/index.ts'
import { operation, socket } from '../src/contract/operation.ts'
import { type Api, createApi, linkSend, openLinkSocket, part, socketPart } from '../src/http/index.ts'
import { silentLog } from '../src/lib/log.ts'
import {
  acceptLinks,
  dialLink,
  type Link,
  type LinkAcceptor,
  LinkError,
  listenShared,
  loadIdentity,
  memoryPair,
} from '../src/link/index.ts'

/** The pieces that carry every call between processes, together: contract, client, HTTP server and a real link. */

const base = { family: 'internal', access: 'peer', tag: 'T', summary: 's' } as const
const operations = {
  measure: operation({
    ...base,
    method: 'POST',
    path: '/texts/{id}',
    params: z.object({ id: z.string() }),
    body: z.strictObject({ text: z.string() }),
    reply: z.object({ id: z.string(), length: z.int() }),
    errors: [],
  }),
}
const sockets = {
  count: socket({
    ...base,
    method: 'GET',
    path: '/numbers',
    query: z.object({ to: z.coerce.number<number>().int() }),
    sends: z.object({ n: z.int() }),
    accepts: z.object({ stop: z.boolean() }),
    errors: [],
  }),
}

let api: Api
let acceptor: LinkAcceptor
let dialled: Link
let accepted: Link
before(async () => {
  api = await createApi({
    prefix: '',
    cors: false,
    log: silentLog,
    gate: { admit: () => ({}) },
    parts: [
      part(operations, { measure: ({ params, body }) => ({ id: params.id, length: body.text.length }) }),
      socketPart(sockets, {
        count: ({ query, channel }) => {
          for (let n = 0; n < query.to; n++) channel.send({ n })
          channel.onMessage(() => channel.close('as asked'))
        },
      }),
    ],
  })
  acceptor = acceptLinks({
    log: silentLog,
    greet: async () => ({ welcome: {}, events: { onStream: () => undefined } }),
  })
  const [near, far] = memoryPair()
  acceptor.accept(far)
  dialled = await dialLink({
    dialler: Object.assign(async () => near, { lanes: 1 }),
    hello: {},
    events: { onStream: (stream) => api.serve(stream) },
  })
  const [link] = acceptor.links
  assert.ok(link)
  accepted = link
})
after(async () => {
  dialled.close('the tests are over')
  await acceptor[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

const client = createClient(operations, {
  baseUrl: '',
  send: (request) => linkSend(() => accepted)(request),
  checkReplies: true,
})

test('the accepting end calls operations of the dialling end', async () => {
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      client.measure({ params: { id: `${n}/ü` }, body: { text: 'x'.repeat(n * 1000) } }),
    ),
  )
  assert.deepEqual(
    replies,
    Array.from({ length: 50 }, (_, n) => ({ id: `${n}/ü`, length: n * 1000 })),
  )
})
test('what the other end refuses arrives as its error', async () => {
  await assert.rejects(
    client.measure({ params: { id: 'a' }, body: { text: 'x'.repeat(2_000_000) } }),
    (error: unknown) => error instanceof ApiError && error.code === 'too_large',
  )
})
test('live messages arrive in order, however slow the reader', async () => {
  let next = 0
  for await (const { n } of await openLinkSocket(
    accepted,
    sockets.count,
    { query: { to: 3000 } },
    new AbortController().signal,
  )) {
    assert.equal(n, next++)
    if (next % 500 === 0) await new Promise(setImmediate)
    if (next === 3000) break
  }
})
test('the same server serves sockets, and a client follows it live', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-http-'))
  const shared = await listenShared({
    host: '127.0.0.1',
    port: 0,
    identity: await loadIdentity(folder),
    acceptor,
    onPlain: (plain) => api.serve(plain),
    log: silentLog,
  })
  const live = await openSocket(sockets.count, { query: { to: 3 } }, { baseUrl: `http://127.0.0.1:${shared.port}` })
  const seen: number[] = []
  for await (const { n } of live) {
    seen.push(n)
    if (n === 2) live.send({ stop: true })
  }
  assert.deepEqual(seen, [0, 1, 2])
  await shared[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
test('a lost link ends calls and live messages with its own error', async () => {
  const live = await openLinkSocket(accepted, sockets.count, { query: { to: 0 } }, new AbortController().signal)
  accepted.close('going away')
  const follow = async (): Promise<void> => {
    for await (const _ of live);
  }
  await assert.rejects(follow(), LinkError)
  await assert.rejects(client.measure({ params: { id: 'a' }, body: { text: '' } }), LinkError)
})
