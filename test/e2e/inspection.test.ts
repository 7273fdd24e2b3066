import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { WebSocket, WebSocketServer } from 'ws'
import { startAgent } from '../../src/agent/index.ts'
import { runCli } from '../../src/cli/cli.ts'
import { EdgeConfig, startEdge } from '../../src/edge/index.ts'
import { rawVisitor, tcpService, tempFolder } from '../../src/edge/testing/world.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { reservePort } from '../ports.ts'
import { addMember, eventually, startAcme } from '../world/panel.ts'

/** What a service has got. */
interface Got {
  method: string
  url: string
  rawHeaders: string[]
  headers: IncomingHttpHeaders
  body: Buffer
}

describe('who visits a tunnel, and what they ask', () => {
  const closer = new AsyncDisposableStack()
  const got: Got[] = []
  let world: Awaited<ReturnType<typeof startAcme>>
  let httpPort: number
  let tcpPort: number
  let tunnel: string
  let raw: string
  let host: string
  let closeAgent: () => Promise<void>

  before(async () => {
    const folder = await tempFolder(closer)
    world = closer.use(await startAcme({ kind: 'sqlite', file: `${folder}/panel.db` }))
    // These tests ask again and again.
    await world.acme.putWorkspacePlan({
      params: { slug: 'acme' },
      body: { plan: 'enterprise', rateLimit: 100_000 },
    })
    const { credential } = await world.panel.registerLocalEdge('edge')
    tcpPort = await reservePort()
    const edge = closer.use(
      await startEdge(
        EdgeConfig.parse({
          listenHost: '127.0.0.1',
          httpPort: 0,
          dataDir: `${folder}/edge`,
          panels: [{ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }],
          credential,
          ports: { first: tcpPort, last: tcpPort },
        }),
        { log: silentLog, reportEveryMs: 50 },
      ),
    )
    httpPort = edge.httpPort
    const service = createServer((asked, answer) => {
      void buffer(asked).then((body) => {
        const { method = '', url = '', rawHeaders, headers } = asked
        got.push({ method, url, rawHeaders, headers, body })
        if (url.startsWith('/gzip')) {
          answer.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' })
          answer.end(gzipSync('packed words'))
        } else if (url.startsWith('/big')) answer.end('x'.repeat(300_000))
        else if (url.startsWith('/never')) answer.write('the begin of something')
        else {
          answer.setHeader('set-cookie', 'sid=a-secret-cookie')
          answer.setHeader('content-type', 'text/plain; charset=utf-8')
          answer.end(`you said ${body.length} bytes`)
        }
      })
    })
    const sockets = new WebSocketServer({ server: service })
    sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(message)))
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    closer.defer(() => {
      service.closeAllConnections()
      service.close()
    })
    const echo = await tcpService(closer, (socket) => socket.pipe(socket))
    const urls = new Map<string, string>()
    const agent = startAgent({
      edges: [{ host: '127.0.0.1', port: httpPort, pin: edge.pin }],
      credential: () => new Secret(world.key),
      tunnels: [
        {
          id: 'web',
          request: { kind: 'http', name: 'web' },
          target: { host: '127.0.0.1', port: (service.address() as AddressInfo).port },
        },
        { id: 'game', request: { kind: 'tcp', name: 'game' }, target: { host: '127.0.0.1', port: echo } },
      ],
      log: silentLog,
      onEvent: (event) => {
        if (event.type === 'opened') urls.set(event.id, event.url)
      },
    })
    closeAgent = async () => agent[Symbol.asyncDispose]()
    closer.defer(closeAgent)
    await eventually(() => urls.size === 2, 'the tunnels are open')
    host = new URL(urls.get('web') ?? '').host
    const { tunnels } = await world.acme.tunnels()
    tunnel = tunnels.find(({ name }) => name === 'web')?.id ?? assert.fail()
    raw = tunnels.find(({ name }) => name === 'game')?.id ?? assert.fail()
  })
  after(() => closer.disposeAsync())

  /** Asks as a visitor does, and reads the answer to its end. */
  async function visit(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; chunked?: boolean } = {},
  ): Promise<{ status: number; body: Buffer }> {
    const { method = 'GET', headers = {}, body } = options
    const length = body === undefined || options.chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const asking = request(
        { host: '127.0.0.1', port: httpPort, path, method, agent: false, headers: { host, ...length, ...headers } },
        (answer) => {
          buffer(answer).then((bytes) => resolve({ status: answer.statusCode ?? 0, body: bytes }), reject)
        },
      )
      asking.once('error', reject)
      asking.end(body)
    })
  }
  const listed = async (path: string) => {
    const { requests } = await world.acme.tunnelRequests({ params: { tunnel } })
    return requests.find(({ target }) => target.startsWith(path))
  }
  const ended = (path: string) =>
    eventually(async () => {
      const found = await listed(path)
      return found?.state === 'open' ? undefined : found
    }, `${path} is listed as over`)
  const read = async (path: string) => world.acme.tunnelRequest({ params: { tunnel, request: (await ended(path)).id } })
  /** Runs a command line until it ends by itself, or is stopped. */
  const pharosUntil = (signal: AbortSignal, data: (text: string) => void, ...line: string[]) => {
    const own = world.folder
    const env = { HOME: own, PHAROS_URL: `http://127.0.0.1:${world.panel.port}`, PHAROS_API_KEY: world.key }
    return runCli(line, {
      ...{ env, cwd: own, root: join(import.meta.dirname, '..', '..'), stdin: Readable.from([]), signal },
      streams: { data, talk: data },
      roles: { up: nothing, panel: nothing, node: nothing, joinNode: nothing, edge: nothing },
    })
  }
  const pharos = async (...line: string[]) => {
    let said = ''
    const code = await pharosUntil(new AbortController().signal, (text) => (said += text), ...line)
    return { code, data: said, talk: said }
  }
  const capture = (mode: 'off' | 'metadata' | 'full', more: object = {}) =>
    world.acme.setTunnelCapture({ params: { tunnel }, body: { mode, ...more } })

  test('tells of each request what it was and how it went, and keeps neither headers nor bodies unless asked to', async () => {
    await visit('/first?page=2&access_token=do-not-show&q=', { method: 'POST', body: 'a body' })
    const { requests, complete } = await world.acme.tunnelRequests({ params: { tunnel } })
    const [first] = requests
    assert.ok(first && complete)
    const { id, at, answeredAfterMs, tookMs, bytesIn, bytesOut, ...rest } = first
    assert.deepEqual(rest, {
      address: '127.0.0.1',
      protocol: 'HTTP/1.1',
      webSocket: false,
      method: 'POST',
      host,
      target: '/first?page=2&access_token=[redacted]&q=',
      targetCut: false,
      status: 200,
      state: 'done',
      problem: null,
      captured: false,
      replayOf: null,
    })
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
    assert.ok(answeredAfterMs !== null && tookMs !== null && answeredAfterMs <= tookMs)
    assert.ok(bytesIn > 50 && bytesOut > 50, `${bytesIn} ${bytesOut}`)
    const whole = await world.acme.tunnelRequest({ params: { tunnel, request: id } })
    assert.deepEqual([whole.request, whole.response], [null, null])
    await assert.rejects(world.acme.replayTunnelRequest({ params: { tunnel, request: id }, body: {} }), {
      code: 'conflict',
      message: /were not kept\. Turn full capture on/,
    })
  })

  test('with full capture, headers and bodies are there, and secrets are hidden', async () => {
    await capture('full', { redactHeaders: ['X-Tenant'], redactParameters: ['invite'] })
    await visit('/kept?invite=abc&key=k1', {
      method: 'POST',
      headers: { authorization: 'Bearer a-secret', cookie: 'sid=1', 'x-tenant': 't1', 'x-plain': 'yes' },
      body: 'grüße',
    })
    const { request: asked, response } = await read('/kept')
    assert.ok(asked && response)
    const value = (headers: typeof asked.headers, wanted: string) =>
      headers.find(({ name }) => name.toLowerCase() === wanted)?.value
    assert.deepEqual(
      ['authorization', 'cookie', 'x-tenant', 'x-plain'].map((name) => value(asked.headers, name)),
      ['[redacted]', '[redacted]', '[redacted]', 'yes'],
    )
    assert.equal(value(response.headers, 'set-cookie'), '[redacted]')
    assert.deepEqual([asked.body.text, asked.body.bytes, asked.body.cut], ['grüße', 7, false])
    assert.equal(response.body.text, 'you said 7 bytes')
    assert.equal((await ended('/kept')).target, '/kept?invite=[redacted]&key=[redacted]')
    const reply = JSON.stringify(await read('/kept'))
    for (const secret of ['a-secret', 'sid=1', 't1"', 'k1', 'abc']) assert.ok(!reply.includes(secret), secret)
  })

  test('unpacks what is packed, takes the framing off what is chunked, and marks what is cut', async () => {
    await capture('full', { bodyBytes: 1_000 })
    await visit('/gzip')
    const packed = (await read('/gzip')).response?.body
    assert.deepEqual([packed?.text, packed?.coding, packed?.cut], ['packed words', 'gzip', false])
    await visit('/big', { method: 'PUT', body: 'y'.repeat(5_000), chunked: true })
    const { request: asked, response } = await read('/big')
    assert.deepEqual([asked?.body.text, asked?.body.bytes, asked?.body.cut], ['y'.repeat(1_000), 5_000, true])
    assert.deepEqual([response?.body.text?.length, response?.body.bytes, response?.body.cut], [1_000, 300_000, true])
    await assert.rejects(
      world.acme.replayTunnelRequest({ params: { tunnel, request: (await ended('/big')).id }, body: {} }),
      { code: 'conflict', message: /Only the first 1000 of the 5000 bytes/ },
    )
  })

  test('a request is sent again as it was, byte by byte, with what was hidden, and marked', async () => {
    await capture('full')
    const body = Buffer.from([0, 1, 2, 255, 13, 10, 48])
    await visit('/again?token=t', {
      method: 'POST',
      headers: { Authorization: 'Basic abc', 'X-Twice': 'a', 'Pharos-Replay': 'forged' },
      body,
      chunked: true,
    })
    const { id } = await ended('/again')
    const before = got.findLast(({ url }) => url.startsWith('/again'))
    assert.ok(before)
    assert.equal(before.headers['pharos-replay'], undefined)
    const answer = await world.acme.replayTunnelRequest({ params: { tunnel, request: id }, body: {} })
    assert.deepEqual([answer.status, answer.replayOf, answer.response?.body.text], [200, id, 'you said 7 bytes'])
    const again = got.at(-1)
    assert.ok(again && again !== before)
    assert.deepEqual([again.method, again.url, again.body.equals(before.body)], [before.method, before.url, true])
    const mark = again.rawHeaders.indexOf('Pharos-Replay')
    assert.ok(id.endsWith(`.${again.rawHeaders[mark + 1]}`))
    assert.deepEqual(again.rawHeaders.toSpliced(mark, 2), before.rawHeaders)
    const { requests } = await world.acme.tunnelRequests({ params: { tunnel } })
    assert.equal(requests.find((one) => one.id === answer.id)?.replayOf, id)
  })

  test('a request is sent again with another method, target, headers and body', async () => {
    await capture('full')
    await visit('/edited?token=the-token&a=1', { headers: { authorization: 'Bearer mine', 'x-old': '1' } })
    const { id } = await ended('/edited')
    const answer = await world.acme.replayTunnelRequest({
      params: { tunnel, request: id },
      body: {
        method: 'PATCH',
        target: '/edited?token=[redacted]&a=2',
        headers: [
          { name: 'Authorization', value: '[redacted]' },
          { name: 'X-New', value: '2' },
          { name: 'X-Forwarded-For', value: '6.6.6.6' },
          { name: 'Host', value: 'elsewhere.example' },
          { name: 'Content-Length', value: '9999' },
        ],
        bodyBase64: Buffer.from('new body').toString('base64'),
      },
    })
    assert.equal(answer.status, 200)
    const { method, url, headers, body } = got.at(-1) ?? assert.fail()
    assert.deepEqual([method, url, body.toString()], ['PATCH', '/edited?token=the-token&a=2', 'new body'])
    assert.deepEqual(
      [headers.authorization, headers['x-new'], headers['x-old'], headers.host, headers['x-forwarded-for']],
      ['Bearer mine', '2', undefined, host, '127.0.0.1'],
    )
    for (const bad of [
      { method: 'GET /x HTTP/1.1\r\nX: y' },
      { target: 'http://elsewhere.example/' },
      { target: '/a b' },
      { headers: [{ name: 'X', value: 'a\r\nInjected: yes' }] },
      { headers: [{ name: 'X:', value: 'a' }] },
      { bodyBase64: 'not base64!' },
    ])
      await assert.rejects(world.acme.replayTunnelRequest({ params: { tunnel, request: id }, body: bad }), {
        code: 'invalid_request',
      })
  })

  test('what is sent again is metered, and is no visitor’s request', async () => {
    await capture('full')
    await visit('/metered', { method: 'POST', body: 'z'.repeat(2_000) })
    const { id } = await ended('/metered')
    const usage = async () =>
      (await world.acme.usage({ query: { days: '2' } })).tunnels.find((one) => one.id === tunnel) ?? assert.fail()
    // The edge tells what it has counted soon after, a part at a time.
    const asked = got.filter(({ headers }) => headers['pharos-replay'] === undefined).length
    const settled = await eventually(async () => {
      const now = await usage()
      return now.requests === asked ? now : undefined
    }, 'every visitor is counted')
    await world.acme.replayTunnelRequest({ params: { tunnel, request: id }, body: {} })
    const more = await eventually(async () => {
      const now = await usage()
      return now.bytesIn >= settled.bytesIn + 2_000 ? now : undefined
    }, 'the bytes are counted')
    assert.deepEqual([more.requests, more.connections], [settled.requests, settled.connections])
  })

  test('a WebSocket is seen while it lives, is not sent again, and can be cut', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/socket`, { headers: { host } })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const echoed = new Promise((resolve) => socket.once('message', resolve))
    socket.send('hello there')
    await echoed
    const live = (await listed('/socket')) ?? assert.fail()
    assert.deepEqual([live.state, live.status, live.webSocket, live.tookMs], ['open', 101, true, null])
    const { connections, total, complete } = await world.acme.tunnelConnections({ params: { tunnel } })
    assert.ok(complete && total === connections.length)
    const { localPort } = (socket as never as Socketlike)._socket
    const own = connections.find(({ port }) => port === localPort)
    assert.ok(own && own.bytesIn > 0 && own.bytesOut > 0 && own.rateOut >= 0)
    assert.deepEqual([own.address, own.protocol, own.requests], ['127.0.0.1', 'HTTP/1', 1])
    await assert.rejects(world.acme.replayTunnelRequest({ params: { tunnel, request: live.id }, body: {} }), {
      code: 'conflict',
      message: /WebSocket/,
    })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await world.acme.cutTunnelConnection({ params: { tunnel, connection: own.id } })
    await closed
    assert.equal((await ended('/socket')).state, 'done')
    await assert.rejects(world.acme.cutTunnelConnection({ params: { tunnel, connection: own.id } }), {
      code: 'not_found',
    })
  })

  test('requests of HTTP/2 are seen, with their bodies', async () => {
    await capture('full')
    const session = connectHttp2(`http://127.0.0.1:${httpPort}`)
    try {
      const stream = session.request({ ':path': '/two', ':method': 'POST', ':authority': host, cookie: 'a=b' })
      stream.end('by frames')
      await buffer(stream)
      const { protocol, request: asked, response, id } = await read('/two')
      assert.deepEqual([protocol, asked?.body.text, response?.body.text], ['HTTP/2', 'by frames', 'you said 9 bytes'])
      assert.equal(asked?.headers.find(({ name }) => name === 'cookie')?.value, '[redacted]')
      const { connections } = await world.acme.tunnelConnections({ params: { tunnel } })
      assert.ok(connections.some((one) => one.protocol === 'HTTP/2' && one.requests === 1))
      const again = await world.acme.replayTunnelRequest({ params: { tunnel, request: id }, body: {} })
      assert.equal(again.response?.body.text, 'you said 9 bytes')
      assert.equal(got.at(-1)?.headers.cookie, 'a=b')
    } finally {
      session.destroy()
    }
  })

  test('connections over raw TCP are seen with their bytes, and can be cut', async () => {
    const visitor = await rawVisitor(closer, tcpPort)
    visitor.socket.write('ping pong')
    await visitor.until('ping pong')
    const { connections } = await world.acme.tunnelConnections({ params: { tunnel: raw } })
    const own = connections.find(({ port }) => port === visitor.socket.localPort) ?? assert.fail()
    assert.deepEqual([own.protocol, own.bytesIn, own.bytesOut, own.requests], ['tcp', 9, 9, 0])
    await world.acme.cutTunnelConnection({ params: { tunnel: raw, connection: own.id } })
    await visitor.all
    assert.deepEqual((await world.acme.tunnelConnections({ params: { tunnel: raw } })).connections, [])
  })

  test('whoever waits hears of what comes, once, and of how it goes on', async () => {
    const { cursor } = await world.acme.tunnelRequests({ params: { tunnel } })
    const none = await world.acme.tunnelRequests({ params: { tunnel }, query: { cursor } })
    assert.deepEqual(none.requests, [])
    const waiting = world.acme.tunnelRequests({ params: { tunnel }, query: { cursor, wait: '20' } })
    await visit('/news')
    const told = [...(await waiting).requests]
    for (let next = (await waiting).cursor; told.at(-1)?.state !== 'done'; ) {
      const more = await world.acme.tunnelRequests({ params: { tunnel }, query: { cursor: next, wait: '20' } })
      told.push(...more.requests)
      next = more.cursor
    }
    assert.deepEqual([...new Set(told.map(({ target }) => target))], ['/news'])
    await assert.rejects(world.acme.tunnelRequests({ params: { tunnel }, query: { cursor: 'nonsense' } }), {
      code: 'invalid_request',
    })
  })

  test('what may not be kept any more is gone before the answer', async () => {
    await capture('full')
    await visit('/erased', { method: 'POST', body: 'a body' })
    const { id } = await ended('/erased')
    await capture('metadata')
    const left = await world.acme.tunnelRequest({ params: { tunnel, request: id } })
    assert.deepEqual([left.captured, left.request, left.response], [false, null, null])
    await capture('off')
    assert.deepEqual((await world.acme.tunnelRequests({ params: { tunnel } })).requests, [])
    await visit('/unseen')
    assert.deepEqual((await world.acme.tunnelRequests({ params: { tunnel } })).requests, [])
    await capture('metadata')
    await visit('/seen')
    await ended('/seen')
    assert.equal((await world.acme.eraseTunnelRequests({ params: { tunnel } })).erased, 1)
    assert.equal(await listed('/seen'), undefined)
    await assert.rejects(world.acme.tunnelRequest({ params: { tunnel, request: id } }), { code: 'not_found' })
  })

  test('a key of another workspace sees nothing, and a member may look but not turn capture on', async () => {
    const bob = await addMember(world, 'bob@example.com')
    const asBob = world.client(bob.key)
    assert.equal((await asBob.tunnelCapture({ params: { tunnel } })).mode, 'metadata')
    await asBob.tunnelRequests({ params: { tunnel } })
    await assert.rejects(asBob.setTunnelCapture({ params: { tunnel }, body: { mode: 'full' } }), { code: 'forbidden' })
    await assert.rejects(asBob.eraseTunnelRequests({ params: { tunnel } }), { code: 'forbidden' })
    await asBob.createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
    const reply = await fetch(`${world.api}/tokens`, {
      method: 'POST',
      headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
    })
    const { token } = (await reply.json()) as { token: string }
    const foreign = world.client(token)
    await visit('/private')
    const { id } = await ended('/private')
    const params = { tunnel, request: id, connection: id }
    for (const ask of [
      () => foreign.tunnelCapture({ params }),
      () => foreign.setTunnelCapture({ params, body: { mode: 'full' } }),
      () => foreign.tunnelRequests({ params }),
      () => foreign.tunnelRequest({ params }),
      () => foreign.eraseTunnelRequests({ params }),
      () => foreign.replayTunnelRequest({ params, body: {} }),
      () => foreign.tunnelConnections({ params }),
      () => foreign.cutTunnelConnection({ params }),
    ])
      await assert.rejects(ask, { code: 'not_found' })
  })

  test('the command line lists, shows, sends again and says what is kept; what strangers sent does nothing to a terminal', async () => {
    await pharos('capture', 'web', 'full', '--minutes', '5', '--redact-header', 'X-Own')
    const settings = JSON.parse((await pharos('capture', 'web', '--json')).data)
    assert.deepEqual([settings.mode, settings.keptSeconds, settings.redactHeaders], ['full', 300, ['X-Own']])
    await visit('/by-hand?token=t', {
      method: 'POST',
      headers: { 'x-own': 'hidden', 'x-hostile': 'a\u009b31m' },
      body: '\u001b]0;owned\u0007\u001b[2J words',
    })
    const { id } = await ended('/by-hand')
    const list = await pharos('inspect', 'web')
    assert.match(list.data, /POST +200 .*\/by-hand\?token=\[redacted\]/)
    const one = await pharos('inspect', 'web', 'last')
    assert.match(one.data, /x-own: \[redacted\]\n/i)
    assert.match(one.data, /words\n\n200\n/)
    for (const control of '\u001b\u009b\u0007') assert.ok(!`${list.data}${one.data}`.includes(control))
    assert.equal(JSON.parse((await pharos('inspect', 'web', 'last', '--json')).data).id, id)
    const short = id.slice(id.indexOf('.') + 1)
    const answer = await pharos(
      'replay',
      'web',
      short,
      '-H',
      'X-New: 1',
      '-H',
      'x-hostile:',
      '--data',
      'five!',
      '--json',
    )
    assert.equal(JSON.parse(answer.data).response.body.text, 'you said 5 bytes')
    const { headers, url } = got.at(-1) ?? assert.fail()
    assert.deepEqual(
      [url, headers['x-own'], headers['x-new'], headers['x-hostile']],
      ['/by-hand?token=t', 'hidden', '1', undefined],
    )
    const visitor = await rawVisitor(closer, tcpPort)
    visitor.socket.write('here')
    await visitor.until('here')
    const [connection] = JSON.parse((await pharos('connections', 'game', '--json')).data).connections
    await pharos('connections', 'game', '--cut', connection.id)
    await visitor.all
    assert.match((await pharos('capture', 'web', '--erase')).data, /\d+ requests are forgotten/)
    for (const [line, words] of [
      [['inspect', 'nothing'], /There is no tunnel "nothing"/],
      [['inspect', 'web', short], /No request of this tunnel is kept/],
      [['inspect', 'web', short, '--follow'], /--follow: is for the list/],
      [['replay', 'web', id], /not found/],
      [['replay', 'web', id, '-H', 'nonsense'], /--header: must be "Name: value"/],
      [['capture', 'web', 'everything'], /mode/],
      [['connections', 'game', '--cut', 'nobody'], /is not there any more/],
    ] as const) {
      const refused = await pharos(...line)
      assert.ok(refused.code > 0)
      assert.match(refused.talk, words)
    }
  })

  test('the command line follows requests as they come', async () => {
    const stop = new AbortController()
    const lines: string[] = []
    const following = pharosUntil(stop.signal, (line) => lines.push(line), 'inspect', 'web', '--follow', '--json')
    const seen = () => lines.map((line) => JSON.parse(line)).filter(({ target }) => target === '/followed')
    await eventually(async () => {
      if (seen().length === 0) await visit('/followed')
      return seen().some(({ state }) => state === 'done')
    }, 'the request is told')
    stop.abort()
    assert.equal(await following, 0)
  })

  test('the log of activity has who turned capture on and who sent a request again', async () => {
    const { entries } = await world.acme.workspaceActivity({ query: { limit: 100 } })
    const operations = new Set(entries.map(({ operation }) => operation))
    for (const operation of ['setTunnelCapture', 'replayTunnelRequest', 'eraseTunnelRequests', 'cutTunnelConnection'])
      assert.ok(operations.has(operation), operation)
  })

  test('an answer without end is shown as far as it came, and nothing is sent through a tunnel that is closed', async () => {
    await capture('full')
    const asking = request({ host: '127.0.0.1', port: httpPort, path: '/never', agent: false, headers: { host } })
    asking.on('error', () => undefined)
    const begun = new Promise((resolve) => asking.once('response', (answer) => answer.once('data', resolve)))
    asking.end()
    await begun
    const { id, state } = (await listed('/never')) ?? assert.fail()
    assert.equal(state, 'open')
    const whole = await world.acme.tunnelRequest({ params: { tunnel, request: id } })
    assert.equal(whole.response?.body.text, 'the begin of something')
    asking.socket?.resetAndDestroy()
    const failed = await ended('/never')
    assert.deepEqual([failed.state, failed.problem], ['failed', 'broken_off'])
    await visit('/before the end'.replaceAll(' ', '-'))
    const { id: last } = await ended('/before')
    await closeAgent()
    await eventually(
      async () => !(await world.acme.tunnels()).tunnels.find((one) => one.id === tunnel)?.open,
      'the tunnel is closed',
    )
    assert.equal((await world.acme.tunnelRequest({ params: { tunnel, request: last } })).captured, true)
    await assert.rejects(world.acme.replayTunnelRequest({ params: { tunnel, request: last }, body: {} }), {
      code: 'conflict',
      message: /not open/,
    })
    await capture('metadata')
    assert.equal((await world.acme.tunnelRequest({ params: { tunnel, request: last } })).captured, false)
  })
})

const nothing = async (): Promise<void> => undefined

/** What `ws` has, and does not tell of. */
interface Socketlike {
  _socket: { localPort: number }
}
