import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import { after, before, test } from 'node:test'
import { ApiError, type Send } from '../contract/exchange.ts'
import { goodKey, live, startTestApi, type TestApi } from './fixture.ts'
import { linkAgent, linkSend, openLinkSocket, type StreamOpener } from './over-link.ts'

/** Streams in memory; that real links carry the same is tested where the roles meet. */
interface MemoryLink extends StreamOpener {
  streams: Duplex[]
  heads: unknown[]
}

let world: TestApi
let link: MemoryLink
before(async () => {
  world = await startTestApi()
  link = {
    streams: [],
    heads: [],
    open(head) {
      const [near, far] = duplexPair()
      // A pair in memory does not tell one end that the other was destroyed; a link does.
      near.once('close', () => far.destroy())
      far.once('close', () => near.destroy())
      this.heads.push(head)
      this.streams.push(near)
      world.api.serve(far)
      return near
    },
  }
})
after(async () => {
  await world[Symbol.asyncDispose]()
})

const echo = { ...live.echo, path: `/api/v1${live.echo.path}`, access: 'public' } as const
const send = (path: string, body?: string): ReturnType<Send> =>
  linkSend(() => link)({
    method: body === undefined ? 'GET' : 'POST',
    path: `/api/v1${path}`,
    headers: { authorization: goodKey, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
  })

test('a request goes over a stream of its own, which then ends', async () => {
  const before = link.streams.length
  const reply = await send('/items/a?size=3')
  assert.deepEqual([reply.status, JSON.parse(reply.text)], [200, { success: true, data: { id: 'a', size: 3 } }])
  assert.ok(reply.headers.get('X-Request-Id'))
  assert.deepEqual(link.heads.at(-1), { protocol: 'http' })
  assert.equal(link.streams.length, before + 1)
  const stream = link.streams.at(-1)
  if (stream && !stream.closed) await once(stream, 'close')
})
test('many requests at once do not mix', async () => {
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => send(`/items/${n}`)))
  assert.deepEqual(
    replies.map(({ text }) => JSON.parse(text).data.id),
    Array.from({ length: 50 }, (_, n) => String(n)),
  )
})
test('a body that is too large is refused over a link as well', async () => {
  assert.equal((await send('/label', JSON.stringify({ label: 'x'.repeat(2_000_000) }))).status, 413)
})
test('a handler’s address for a caller over a link is the link', async () => {
  const own = await startTestApi({ gate: { admit: (_operation, { address }) => Promise.reject(new Error(address)) } })
  const [near, far] = duplexPair()
  own.api.serve(far)
  const reply = await linkSend(() => ({ open: () => near }))({ method: 'GET', path: '/api/v1/items/a', headers: {} })
  assert.equal(reply.status, 500)
  assert.match(own.logged.join(''), /"message":"link"/)
  await own[Symbol.asyncDispose]()
})
test('rejects with the link’s own error when there is none or it is lost', async () => {
  const none = linkSend(() => {
    throw new Error('the node is away')
  })
  await assert.rejects(none({ method: 'GET', path: '/', headers: {} }), /the node is away/)
  const waiting = send('/slow')
  const stream = link.streams.at(-1)
  stream?.destroy(new Error('the link is lost'))
  await assert.rejects(waiting, /the link is lost/)
})
test('a caller that gives up ends its stream, with its own reason', async () => {
  const gone = new AbortController()
  const waiting = linkSend(() => link)({ method: 'GET', path: '/api/v1/slow', headers: {}, signal: gone.signal })
  const stream = link.streams.at(-1)
  gone.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  if (stream && !stream.closed) await once(stream, 'close')
})
test('node:http streams over a link with the agent', async () => {
  const response = await new Promise<AsyncIterable<Buffer> & { statusCode?: number | undefined }>((resolve, reject) =>
    request({ agent: linkAgent(() => link), path: '/api/v1/items/x', headers: { authorization: goodKey } }, resolve)
      .on('error', reject)
      .end(),
  )
  assert.equal(response.statusCode, 200)
  let text = ''
  for await (const chunk of response) text += chunk
  assert.match(text, /"id":"x"/)
})

const open = (serverId: string, signal = new AbortController().signal, greeting?: string) =>
  openLinkSocketWithKey(serverId, signal, greeting)
/** The gate of the test wants a key, which a link does not send: this link adds it to the first bytes. */
function openLinkSocketWithKey(
  serverId: string,
  signal: AbortSignal,
  greeting?: string,
): ReturnType<typeof openLinkSocket<typeof echo>> {
  const keyed: StreamOpener = {
    open: (head) => {
      const stream = link.open(head)
      const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean
      let first = true
      stream.write = ((chunk: unknown, ...rest: unknown[]) => {
        const text = first ? String(chunk).replace('\r\n\r\n', `\r\nAuthorization: ${goodKey}\r\n\r\n`) : chunk
        first = false
        return write(text, ...rest)
      }) as typeof stream.write
      return stream
    },
  }
  return openLinkSocket(
    keyed,
    echo,
    { params: { serverId }, query: greeting === undefined ? {} : { greeting } },
    signal,
  )
}

test('a live connection over a link gives its messages, and ends when the reader leaves', async () => {
  for await (const message of await open('1a7ce997', undefined, 'hello')) {
    assert.deepEqual(message, { text: 'hello' })
    break
  }
  const stream = link.streams.at(-1)
  if (stream && !stream.closed) await once(stream, 'close')
})
test('a live connection ends when its signal aborts', async () => {
  const stop = new AbortController()
  const messages = await open('1a7ce997', stop.signal)
  stop.abort()
  for await (const message of messages) assert.fail(JSON.stringify(message))
})
test('a refused live connection rejects with the reason', async () => {
  await assert.rejects(
    open('00000000'),
    (error: unknown) => error instanceof ApiError && error.code === 'not_found' && error.message === 'Server not found',
  )
  await assert.rejects(
    openLinkSocket(link, echo, { params: { serverId: '1a7ce997' } }, new AbortController().signal),
    (error: unknown) => error instanceof ApiError && error.code === 'unauthorized',
  )
})
test('a live connection whose handler fails throws at the reader', async () => {
  const read = async (): Promise<void> => {
    for await (const _ of await open('ffffffff'));
  }
  await assert.rejects(read(), (error: unknown) => error instanceof ApiError && error.message === 'Internal error')
})
test('a lost link throws its error at the reader', async () => {
  const messages = await open('1a7ce997')
  link.streams.at(-1)?.destroy(new Error('the link is lost'))
  await assert.rejects(async () => {
    for await (const _ of messages);
  }, /the link is lost/)
})
test('a reader that falls behind holds the sender back and loses nothing', async () => {
  const opened = Promise.withResolvers<Parameters<NonNullable<TestApi['onChannel']>>[0]>()
  world.onChannel = opened.resolve
  const messages = await open('1a7ce997')
  const channel = await opened.promise
  world.onChannel = undefined
  for (let n = 0; n < 2000; n++) channel.send({ text: String(n) })
  let next = 0
  for await (const { text } of messages) {
    assert.equal(text, String(next++))
    if (next === 2000) break
    if (next % 100 === 0) await new Promise(setImmediate)
  }
})
test('an already aborted signal opens nothing', async () => {
  const before = link.streams.length
  await assert.rejects(open('1a7ce997', AbortSignal.abort(new Error('too late'))), /too late/)
  assert.equal(link.streams.length, before)
})
