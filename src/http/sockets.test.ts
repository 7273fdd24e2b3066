import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type ClientOptions, WebSocket } from 'ws'
import type { SocketChannel } from '../contract/operation.ts'
import { exchangeRaw, goodKey, startTestApi, type TestApi } from './fixture.ts'

let world: TestApi
before(async () => {
  world = await startTestApi()
})
after(async () => {
  await world[Symbol.asyncDispose]()
})

const path = '/servers/1a7ce997/echo'
const dial = (to: string, options: ClientOptions = {}): WebSocket =>
  new WebSocket(world.baseUrl.replace('http', 'ws') + to, { headers: { authorization: goodKey }, ...options })

/** The plain HTTP answer to an upgrade that is refused. */
async function refusal(
  to: string,
  headers: Record<string, string> = { authorization: goodKey },
): Promise<{ status: number; body: unknown; headers: Record<string, unknown> }> {
  const socket = dial(to, { headers })
  socket.on('error', () => undefined)
  const [, response] = await once(socket, 'unexpected-response')
  let text = ''
  for await (const chunk of response) text += chunk
  socket.terminate()
  return { status: response.statusCode, body: JSON.parse(text), headers: response.headers }
}

describe('before the upgrade', () => {
  test('nobody unknown comes in: the refusal is plain HTTP in the family’s shape', async () => {
    const refused = await refusal(path, {})
    assert.deepEqual([refused.status, refused.body], [401, { success: false, error: 'This key is not known' }])
    assert.ok(refused.headers['x-request-id'])
    assert.equal(refused.headers['x-ratelimit-limit'], '180')
  })
  test('nobody comes in without the permission, or to what is not there', async () => {
    assert.equal((await refusal('/servers/11111111/echo')).status, 403)
    assert.equal((await refusal('/servers/00000000/echo')).status, 404)
    assert.deepEqual((await refusal('/nowhere')).body, { success: false, error: 'not_found' })
  })
  test('parameters and query are checked', async () => {
    assert.match(JSON.stringify((await refusal('/servers/nonsense/echo')).body), /params\.serverId/)
    assert.match(
      JSON.stringify((await refusal(`${path}?greeting=${'x'.repeat(30)}`)).body),
      /query\.greeting is too long/,
    )
    assert.equal((await refusal('/servers/%zz/echo')).status, 400)
  })
  test('a request without an upgrade learns what the path is for', async () => {
    const reply = await fetch(world.baseUrl + path, { headers: { authorization: goodKey } })
    assert.deepEqual(
      [reply.status, await reply.json()],
      [400, { success: false, error: 'This is a live connection: open it with a WebSocket' }],
    )
  })
  test('an upgrade on an ordinary route is answered as an ordinary request', async () => {
    assert.equal((await refusal('/items/a')).status, 200)
  })
  test('a handshake without a key or version is refused and closed', async () => {
    for (const extra of [
      '',
      'Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 99\r\n',
    ]) {
      const raw = await exchangeRaw(
        world.port,
        `GET /api/v1${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${extra}\r\n`,
      )
      assert.match(raw, /^HTTP\/1\.1 4\d\d /)
    }
  })
})

describe('an open connection', () => {
  test('answers in order and leaves out what the schema does not name', async () => {
    const socket = dial(`${path}?greeting=hello`)
    const [greeting] = await once(socket, 'message')
    assert.deepEqual(JSON.parse(String(greeting)), { text: 'hello' })
    socket.send(JSON.stringify({ say: 'back' }))
    const [answer] = await once(socket, 'message')
    assert.deepEqual(JSON.parse(String(answer)), { text: 'back' })
    socket.send(JSON.stringify({ say: 'bye' }))
    const [code, reason] = await once(socket, 'close')
    assert.deepEqual([code, String(reason)], [1000, 'bye'])
  })
  test('carries the request id and what the gate set in its handshake', async () => {
    const socket = dial(path)
    const [response] = await once(socket, 'upgrade')
    assert.match(response.headers['x-request-id'], /^[0-9a-f-]{36}$/)
    assert.equal(response.headers['x-ratelimit-limit'], '180')
    socket.terminate()
  })
  test('takes the id of a server in every spelling', async () => {
    for (const spelling of ['servers/1a7ce997', 'servers%2F1a7ce997']) {
      const socket = dial(`/servers/${spelling}/echo`)
      await once(socket, 'open')
      socket.terminate()
    }
  })
  const bad: [what: string, message: string | Buffer, code: number, reason: RegExp][] = [
    ['no JSON', 'hello', 1008, /not valid JSON/],
    ['an unknown field', '{"say":"x","shout":true}', 1008, /message\.shout is not a known field/],
    ['a wrong type', '{"say":1}', 1008, /message\.say is a number/],
    ['too long a text', JSON.stringify({ say: 'x'.repeat(101) }), 1008, /message\.say is too long/],
    ['nothing', '', 1008, /not valid JSON/],
    ['a NUL in a text', '{"say":"a\\u0000b"}', 1008, /message\.say contains a NUL/],
    ['a NUL in a name', '{"say":"x","a\\u0000":1}', 1008, /a name that contains a NUL/],
    ['bytes', Buffer.from('{"say":"x"}'), 1003, /JSON text/],
    ['more than a message may hold', 'x'.repeat(70_000), 1009, /.*/],
  ]
  for (const [what, message, code, reason] of bad)
    test(`is closed by ${what}`, async () => {
      const socket = dial(path)
      await once(socket, 'open')
      socket.send(message)
      const [gotCode, gotReason] = await once(socket, 'close')
      assert.equal(gotCode, code)
      assert.match(String(gotReason), reason)
    })
  test('a fault of the handler closes it without a word about why', async () => {
    const socket = dial('/servers/ffffffff/echo')
    const [code, reason] = await once(socket, 'close')
    assert.deepEqual([code, String(reason)], [1011, 'Internal error'])
    assert.match(world.logged.join(''), /secret of the handler/)
  })
  test('a message that is not what the contract says closes this one and ends nothing else', async () => {
    const [broken, other] = [dial(path), dial(path)]
    await Promise.all([once(broken, 'open'), once(other, 'open')])
    broken.send('{"say":"nonsense"}')
    const [code, reason] = await once(broken, 'close')
    assert.deepEqual([code, String(reason)], [1011, 'Internal error'])
    other.send('{"say":"still here"}')
    assert.deepEqual(JSON.parse(String((await once(other, 'message'))[0])), { text: 'still here' })
    other.terminate()
  })
  test('the handler learns when the client has gone', async () => {
    const opened = Promise.withResolvers<SocketChannel<unknown, unknown>>()
    world.onChannel = opened.resolve
    const socket = dial(path)
    const channel = await opened.promise
    world.onChannel = undefined
    await once(socket, 'open')
    assert.equal(channel.signal.aborted, false)
    socket.terminate()
    await once(channel.signal, 'abort')
    channel.send({ text: 'into the void' })
    channel.close('again')
  })
  test('a message that goes out on several is written out once', async () => {
    let reads = 0
    const message = {
      get text() {
        reads += 1
        return 'to all'
      },
    }
    const heard: unknown[] = []
    for (let reader = 0; reader < 3; reader++) {
      const opened = Promise.withResolvers<SocketChannel<unknown, unknown>>()
      world.onChannel = opened.resolve
      const socket = dial(path)
      const channel = await opened.promise
      world.onChannel = undefined
      const arrived = once(socket, 'message')
      channel.send(message)
      heard.push(JSON.parse(String((await arrived)[0])))
      socket.terminate()
    }
    assert.deepEqual(heard, [{ text: 'to all' }, { text: 'to all' }, { text: 'to all' }])
    assert.equal(reads, 1)
  })
  test('a reader that does not read shows in bufferedBytes and is cut off before memory is', async () => {
    const opened = Promise.withResolvers<SocketChannel<{ text: string }, unknown>>()
    world.onChannel = opened.resolve
    const connection = net.connect(world.port, '127.0.0.1')
    connection.on('error', () => undefined)
    connection.write(
      `GET /api/v1${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    connection.pause()
    const channel = await opened.promise
    world.onChannel = undefined
    const text = 'x'.repeat(64 * 1024)
    let most = 0
    for (let sent = 0; sent < 2000 && !channel.signal.aborted; sent++) {
      channel.send({ text })
      most = Math.max(most, channel.bufferedBytes)
      await new Promise(setImmediate)
    }
    assert.equal(channel.signal.aborted, true)
    assert.ok(most > text.length && most < 10 * 1024 * 1024, `${most} bytes were waiting`)
    connection.destroy()
  })
  for (const [cause, code] of [
    [undefined, 1000],
    ['done', 1000],
    ['refused', 1008],
    ['failed', 1011],
    ['restarting', 1012],
    ['overloaded', 1013],
  ] as const)
    test(`tells programs by its code that it ends because it is ${cause ?? 'over'}, and people why`, async () => {
      const opened = Promise.withResolvers<SocketChannel<unknown, unknown>>()
      world.onChannel = opened.resolve
      const socket = dial(path)
      const channel = await opened.promise
      world.onChannel = undefined
      await once(socket, 'open')
      channel.close('The reason.', cause)
      const [got, reason] = await once(socket, 'close')
      assert.deepEqual([got, String(reason)], [code, 'The reason.'])
    })
  test('broken frames end the connection and nothing else', async () => {
    const connection = net.connect(world.port, '127.0.0.1')
    connection.on('error', () => undefined)
    connection.write(
      `GET /api/v1${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${goodKey}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    await once(connection, 'data')
    connection.resume()
    connection.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
    await once(connection, 'close')
    assert.equal((await fetch(`${world.baseUrl}/items/a`, { headers: { authorization: goodKey } })).status, 200)
  })
  test('stopping the server says so to every client', async () => {
    const own = await startTestApi()
    const socket = new WebSocket(own.baseUrl.replace('http', 'ws') + path, { headers: { authorization: goodKey } })
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await own[Symbol.asyncDispose]()
    assert.equal((await closed)[0], 1012)
  })
})
