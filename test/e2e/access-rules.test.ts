import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { ask as askHttp2, http2Visitor } from '../../src/edge/testing/http2-client.ts'
import { rawVisitor, tcpService } from '../../src/edge/testing/world.ts'
import { type AccessWorld, asBrowser, basic, echo, startAccessWorld } from '../world/access-world.ts'
import { eventually } from '../world/panel.ts'

/** Rules in front of tunnels, from the API to the visitor: a panel, an edge and an agent that are real. */

let world: AccessWorld
let port: number
/** Its rules are changed by each test, and taken away again. */
let web: { id: string; url: string }
const host = 'web.acme.localhost'

before(async () => {
  world = await startAccessWorld()
  port = await world.service((asked, answer) => void echo(asked, answer))
  web = await world.open({ kind: 'http', name: 'web' }, port)
})
after(() => world[Symbol.asyncDispose]())

const nothing = { ip: null, maintenance: null, limits: null, basic: null, oidc: null, headers: null, signature: null }
type Change = Parameters<AccessWorld['acme']['updateTunnelAccess']>[0]['body']

/** Waits until visitors get this: the panel answers before the edge has heard of it. */
const soon = (status: number, visit: Parameters<AccessWorld['visit']>[1] = {}) =>
  eventually(async () => {
    const visited = await world.visit(host, visit)
    return visited.status === status ? visited : null
  }, `visitors get ${status}`)

async function withRules(body: Change, work: () => Promise<void>): Promise<void> {
  await world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body })
  try {
    await work()
  } finally {
    await world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body: nothing })
    await soon(200)
  }
}

test('networks that are denied, or not allowed, are turned away in words that tell nothing (S8)', async () => {
  await withRules({ ip: { allow: ['127.0.0.0/8', '2001:db8::/32'], deny: ['127.0.0.2'] } }, async () => {
    const denied = await soon(403, { from: '127.0.0.2' })
    assert.deepEqual(JSON.parse(denied.body), {
      error: 'access_denied',
      message: `${host}:${world.edge.httpPort} does not take visitors from your network.`,
    })
    assert.equal((await world.visit(host, { from: '127.0.0.3' })).status, 200)
  })
  await withRules({ ip: { allow: ['192.0.2.0/24'] } }, async () => {
    await soon(403)
    // What claims to be somebody else is nobody else.
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip'])
      assert.equal((await world.visit(host, { headers: { [name]: '192.0.2.1' } })).status, 403, name)
    const page = await world.visit(host, { headers: asBrowser })
    assert.match(page.body, /<title>Not for you<\/title>/)
    const http2 = http2Visitor(world.closer, world.edge.httpPort)
    assert.equal((await askHttp2(http2, { ':path': '/' })).status, 403)
    const call = await askHttp2(http2, { ':method': 'POST', ':path': '/a/b', 'content-type': 'application/grpc' }, '')
    assert.deepEqual([call.status, call.headers['grpc-status']], [200, '7'])
    http2.close()
  })
})

test('a rule that changes cuts whoever it no longer allows, and nobody else (S3)', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  world.closer.defer(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  const { id } = await world.open({ kind: 'http', name: 'live' }, (server.address() as { port: number }).port)
  const connect = async (from: string): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${world.edge.httpPort}/`, {
      headers: { host: 'live.acme.localhost' },
      localAddress: from,
    })
    await once(socket, 'open')
    return socket
  }
  const [first, second] = [await connect('127.0.0.4'), await connect('127.0.0.5')]
  const cut = once(first, 'close')
  await world.acme.updateTunnelAccess({ params: { tunnel: id }, body: { ip: { allow: [], deny: ['127.0.0.4'] } } })
  await cut
  const heard = once(second, 'pong')
  second.ping()
  await heard
  const all = once(second, 'close')
  await world.acme.updateTunnelAccess({ params: { tunnel: id }, body: { maintenance: {} } })
  await all
})

test('raw TCP keeps to networks and to maintenance, also while it lives', async () => {
  const service = await tcpService(world.closer, (socket) => socket.pipe(socket))
  const { id, url } = await world.open({ kind: 'tcp', name: 'game' }, service)
  const at = Number(new URL(url.replace('tcp:', 'http:')).port)
  const params = { tunnel: id }
  const visitor = await rawVisitor(world.closer, at)
  visitor.socket.write('hello')
  await visitor.until('hello')
  await world.acme.updateTunnelAccess({ params, body: { ip: { allow: ['192.0.2.1'] } } })
  await visitor.all
  const isLetIn = async (): Promise<boolean> => {
    const again = await rawVisitor(world.closer, at).catch(() => null)
    again?.socket.write('again')
    return again !== null && (await again.until('again').then(Boolean, () => false))
  }
  assert.equal(await isLetIn(), false)
  await world.acme.updateTunnelAccess({ params, body: { ip: { allow: ['127.0.0.1'] } } })
  await eventually(isLetIn, 'it is let in')
  for (const body of [
    { headers: { request: { remove: ['x-a'] } } },
    { signature: { signer: 'github', secret: 'long enough' } },
    { oidc: { issuer: 'https://id.example.org', clientId: 'x', anybody: true } },
  ] satisfies Change[])
    await assert.rejects(world.acme.updateTunnelAccess({ params, body }), { code: 'conflict' })
  await assert.rejects(
    world.acme.putAccessUser({ params: { ...params, user: 'ada' }, body: { password: 'long enough' } }),
    {
      code: 'conflict',
    },
  )
})

test('maintenance turns everybody away with the owner’s words, and programs with JSON', async () => {
  await withRules({ maintenance: { message: 'Back at <noon>.', retryAfterSeconds: 120 } }, async () => {
    const page = await soon(503, { headers: asBrowser })
    assert.equal(page.headers['retry-after'], '120')
    assert.match(page.body, /Back at &#60;noon&#62;\./)
    const json = await world.visit(host)
    assert.deepEqual(JSON.parse(json.body), { error: 'maintenance', message: 'Back at <noon>.' })
  })
})

test('passwords: who has none, a wrong one, or one that is not theirs any more stays out', async () => {
  const params = { tunnel: web.id }
  await world.acme.putAccessUser({ params: { ...params, user: 'ada' }, body: { password: 'correct horse' } })
  await world.acme.putAccessUser({ params: { ...params, user: 'max' }, body: { password: 'battery staple' } })
  await withRules({ headers: null }, async () => {
    const asked = await soon(401)
    assert.equal(asked.headers['www-authenticate'], `Basic realm="${host}", charset="UTF-8"`)
    const good = await soon(200, { headers: basic('ada', 'correct horse') })
    const seen = JSON.parse(good.body) as { headers: Record<string, string> }
    // The password was for the edge.
    assert.equal(seen.headers['authorization'], undefined)
    assert.equal(seen.headers['x-forwarded-user'], 'ada')
    for (const headers of [
      basic('ada', 'battery staple'),
      basic('nobody', 'correct horse'),
      basic('ada', ''),
      basic('', 'correct horse'),
      { authorization: 'Basic !!!' },
      { authorization: 'Bearer correct horse' },
      { 'proxy-authorization': basic('ada', 'correct horse')['authorization'] ?? '' },
      { 'x-forwarded-user': 'ada' },
    ])
      assert.equal((await world.visit(host, { headers })).status, 401, JSON.stringify(headers))
    await world.acme.putAccessUser({ params: { ...params, user: 'ada' }, body: { password: 'another one' } })
    await soon(401, { headers: basic('ada', 'correct horse') })
    await world.acme.deleteAccessUser({ params: { ...params, user: 'max' } })
    await soon(401, { headers: basic('max', 'battery staple') })
    await assert.rejects(world.acme.deleteAccessUser({ params: { ...params, user: 'max' } }), { code: 'not_found' })
  })
})

test('whoever guesses passwords is slowed down, and does not keep out who knows theirs', async () => {
  const params = { tunnel: web.id }
  await world.acme.putAccessUser({ params: { ...params, user: 'ada' }, body: { password: 'correct horse' } })
  await withRules({ headers: null }, async () => {
    await soon(200, { headers: basic('ada', 'correct horse') })
    const statuses = await Promise.all(
      Array.from(
        { length: 40 },
        async (_, guess) => (await world.visit(host, { headers: basic('ada', `guess ${guess}`) })).status,
      ),
    )
    assert.ok(statuses.includes(429), statuses.join(' '))
    assert.equal(statuses.includes(200), false)
    const late = await world.visit(host, { headers: basic('ada', 'one more guess') })
    assert.equal(late.status, 429)
    assert.ok(Number(late.headers['retry-after']) >= 1)
    assert.equal((await world.visit(host, { headers: basic('ada', 'correct horse') })).status, 200)
  })
})

test('requests beyond the rate are told when to come again; each visitor has a rate of their own', async () => {
  await withRules({ limits: { requestsPerMinute: 12 } }, async () => {
    await eventually(async () => (await world.visit(host, { from: '127.0.0.9' })).status === 429, 'the rate is reached')
    const late = await world.visit(host, { from: '127.0.0.9' })
    assert.equal(late.status, 429)
    assert.ok(Number(late.headers['retry-after']) >= 1)
    assert.equal((await world.visit(host, { from: '127.0.0.10' })).status, 200)
  })
})

test('headers are removed, set and added on both ways, and nothing that frames or identifies can be touched', async () => {
  const rules = {
    request: { remove: ['Cookie', 'X_Old'], set: { 'X-Env': 'staging', Authorization: 'Bearer inner' }, add: {} },
    response: { remove: ['X-Service'], set: { 'Strict-Transport-Security': 'max-age=60' }, add: { 'X-Seen': 'yes' } },
  }
  await withRules({ headers: rules }, async () => {
    const headers = { cookie: 'a=1', 'x-old': '1', 'x-env': 'prod', authorization: 'Bearer outer' }
    const over1 = await eventually(async () => {
      const visited = await world.visit(host, { headers })
      return visited.headers['x-seen'] === 'yes' ? visited : null
    }, 'headers are changed')
    const http2 = http2Visitor(world.closer, world.edge.httpPort)
    const over2 = await askHttp2(http2, { ':path': '/', ...headers })
    http2.close()
    for (const { headers: got, body } of [over1, { headers: over2.headers, body: over2.text }]) {
      assert.equal(got['x-service'], undefined)
      assert.equal(got['x-seen'], 'yes')
      assert.equal(got['strict-transport-security'], 'max-age=60')
      const seen = (JSON.parse(body) as { headers: Record<string, string> }).headers
      assert.deepEqual(
        [seen['cookie'], seen['x-old'], seen['x-env'], seen['authorization']],
        [undefined, undefined, 'staging', 'Bearer inner'],
      )
      assert.equal(seen['x-forwarded-for'], '127.0.0.1')
    }
  })
  for (const name of [
    'Host',
    'Content-Length',
    'transfer_encoding',
    'X-Forwarded-For',
    'x_forwarded_user',
    'Upgrade',
    'Pharos-Error',
  ])
    await assert.rejects(
      world.acme.updateTunnelAccess({
        params: { tunnel: web.id },
        body: { headers: { request: { set: { [name]: 'x' }, remove: [], add: {} } } },
      }),
      { code: 'invalid_request' },
      name,
    )
  await assert.rejects(
    world.acme.updateTunnelAccess({
      params: { tunnel: web.id },
      body: { headers: { response: { set: { 'X-A': 'b\r\nSet-Cookie: c=d' }, remove: [], add: {} } } },
    }),
    { code: 'invalid_request' },
  )
})

test('only what is signed gets to the service, byte for byte, however it is sent', async () => {
  const secret = 'the secret of a hook'
  const body = JSON.stringify({ zen: 'Keep it logically awesome. ✓', pad: 'x'.repeat(200_000) })
  const sign = (text: string) => ({
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`,
  })
  await withRules({ signature: { signer: 'github', secret } }, async () => {
    await soon(403)
    const post = (headers: Record<string, string>, text = body) =>
      world.visit(host, { method: 'POST', headers, body: text })
    const good = await post(sign(body))
    assert.equal(good.status, 200)
    assert.equal((JSON.parse(good.body) as { body: string }).body, body)
    const chunked = await post({ ...sign(body), 'transfer-encoding': 'chunked' })
    assert.equal((JSON.parse(chunked.body) as { body: string }).body, body)
    const waiting = await post({ ...sign(body), expect: '100-continue' })
    assert.equal(waiting.status, 200)
    const http2 = http2Visitor(world.closer, world.edge.httpPort)
    const over2 = await askHttp2(http2, { ':method': 'POST', ':path': '/', ...sign(body) }, body)
    assert.equal((JSON.parse(over2.text) as { body: string }).body, body)
    const forged2 = await askHttp2(http2, { ':method': 'POST', ':path': '/', ...sign('other') }, body)
    assert.equal(forged2.status, 403)
    http2.close()
    for (const headers of [
      {},
      sign('other'),
      { 'x-hub-signature-256': 'sha256=' },
      { 'x-hub-signature': sign(body)['x-hub-signature-256'] },
    ])
      assert.equal((await post(headers)).status, 403, JSON.stringify(headers))
    assert.equal((await post(sign(''), 'x')).status, 403)
    const large = 'y'.repeat(2 * 1024 * 1024 + 1)
    assert.equal((await post(sign(large), large)).status, 413)
    const socket = await rawVisitor(world.closer, world.edge.httpPort)
    // Twice the field: whoever reads the other one would believe something else.
    const { 'x-hub-signature-256': mark } = sign('x')
    socket.socket.write(
      `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nX-Hub-Signature-256: ${mark}\r\nX-Hub-Signature-256: sha256=00\r\n\r\nx`,
    )
    assert.match((await socket.all).toString(), /^HTTP\/1\.1 403 /)
  })
})

test('rules belong to a tunnel of the workspace, and are shown without secrets', async () => {
  await assert.rejects(world.acme.tunnelAccess({ params: { tunnel: 'tun_missing' } }), { code: 'not_found' })
  await assert.rejects(world.acme.endAccessSessions({ params: { tunnel: web.id } }), { code: 'conflict' })
  await withRules({ signature: { signer: 'hmac', secret: 'never to be shown', header: 'X-Sign' } }, async () => {
    await soon(403)
    const shown = await world.acme.tunnelAccess({ params: { tunnel: web.id } })
    assert.equal(JSON.stringify(shown).includes('never to be shown'), false)
    const rows = await world.database.kysely.selectFrom('tunnel_settings').selectAll().execute()
    assert.equal(JSON.stringify(rows).includes('never to be shown'), false)
    await assert.rejects(
      world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body: { signature: { signer: 'slack' } } }),
      { code: 'conflict' },
    )
  })
})
