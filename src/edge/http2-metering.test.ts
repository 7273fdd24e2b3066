import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { describe, test } from 'node:test'
import { type CountingPlane, countingPlane } from './testing/counting-plane.ts'
import { type Answer, answerOf, ask, http2Service, http2Visitor } from './testing/http2-client.ts'
import { endHeaders, endStream, fields, frame, frameTypes, frameVisitor, request } from './testing/http2-frames.ts'
import { eventually, forwardTo, handAgent, httpService, rawVisitor, type TestEdge, testEdge } from './testing/world.ts'

/** A service over either version that answers a body with as many bytes as the path says, and says in trailers how many it has heard. */
async function services(closer: AsyncDisposableStack): Promise<{ http1: number; http2: number }> {
  const http1 = await httpService(closer, (asked, response) => {
    asked.resume().on('end', () => {
      response.sendDate = false
      response.writeHead(200, { 'x-a': 'b' })
      response.write(Buffer.alloc(Number(asked.url?.slice(1))))
      response.addTrailers({ 'x-late': 'yes' })
      response.end()
    })
  })
  const { port: http2 } = await http2Service(closer, (stream, headers) => {
    stream.resume().on('end', () => {
      const options = { waitForTrailers: true, sendDate: false } as object
      stream.respond({ ':status': 200, 'x-a': 'b' }, options)
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'yes' }))
      stream.end(Buffer.alloc(Number(headers[':path']?.slice(1))))
    })
  })
  return { http1, http2 }
}

interface World {
  edge: TestEdge
  plane: CountingPlane
}

/** An edge with tunnels of `acme`, each to a local port; those named `api…` speak HTTP/2. */
async function world(closer: AsyncDisposableStack, ports: Record<string, number>, limits = {}): Promise<World> {
  const plane = countingPlane()
  const edge = await testEdge(closer, {}, { controlPlane: plane.start, reportEveryMs: 10, limits })
  const agent = await handAgent(closer, edge, 'acme', (stream, head) =>
    forwardTo(ports[(head as { tunnelId: string }).tunnelId] ?? 1)(stream),
  )
  for (const name of Object.keys(ports))
    await agent.open({ kind: 'http', name, ...(name.startsWith('api') && { http2: true }) })
  return { edge, plane }
}

/** Resolves with the numbers once they are these; on the way they are never more. */
async function counted(plane: CountingPlane, tunnelId: string, wanted: object): Promise<void> {
  const now = (): object => {
    const { bytesIn = 0, bytesOut = 0, connections = 0, requests = 0 } = plane.counter(tunnelId) ?? {}
    return { bytesIn, bytesOut, connections, requests }
  }
  await eventually(() => JSON.stringify(now()) === JSON.stringify(wanted), `${JSON.stringify(wanted)}`).catch(() =>
    assert.deepEqual(now(), wanted),
  )
}

describe('what is counted of HTTP/2', () => {
  test('is what HTTP/1 would have carried, to the byte, to services of both versions and with many requests at once', async () => {
    await using closer = new AsyncDisposableStack()
    const ports = await services(closer)
    const { edge, plane } = await world(closer, { web: ports.http1, api: ports.http2 })
    for (const name of ['web', 'api']) {
      const visitor = http2Visitor(closer, edge.httpPort)
      const host = `${name}.acme.localhost`
      const totals = { bytesIn: 0, bytesOut: 0, connections: 1, requests: 0 }
      const answers: Promise<Answer>[] = []
      for (let index = 0; index < 60; index++) {
        const [sent, asked] = [(index * 7919) % 50_000, (index * 104_729) % 70_000]
        const known = index % 3 === 0
        const headers: OutgoingHttpHeaders = {
          ':authority': host,
          ':path': `/${asked}`,
          ':method': 'POST',
          'x-forwarded-for': '6.6.6.6',
          te: 'trailers',
          ...(known && { 'content-length': String(sent) }),
        }
        answers.push(ask(visitor, headers, 'x'.repeat(sent)))
        const framing = known ? `content-length: ${sent}\r\n` : 'transfer-encoding: chunked\r\n'
        totals.requests++
        totals.bytesIn +=
          `POST /${asked} HTTP/1.1\r\nHost: ${host}\r\nx-forwarded-for: 6.6.6.6\r\nte: trailers\r\n${framing}\r\n`
            .length + sent
        // What a service of HTTP/1 says of its connection is not sent to the visitor.
        totals.bytesOut += 'HTTP/1.1 200 \r\nx-a: b\r\n\r\n'.length + asked + 'x-late: yes\r\n\r\n'.length
      }
      for (const { status, trailers } of await Promise.all(answers))
        assert.deepEqual([status, trailers['x-late']], [200, 'yes'])
      await counted(plane, name, totals)
    }
  })

  test('leaves out padding, the edge’s own answers and what is refused, and takes in trailers', async () => {
    await using closer = new AsyncDisposableStack()
    const ports = await services(closer)
    const { edge, plane } = await world(closer, { web: ports.http1, api: ports.http2 })
    const paddedFlag = 8
    for (const name of ['web', 'api']) {
      const host = `${name}.acme.localhost`
      const visitor = await frameVisitor(closer, edge.httpPort)
      visitor.send(
        frame('headers', endHeaders, 1, fields(request(host, '/7', 'POST'))),
        // Ten bytes of padding behind five.
        frame('data', paddedFlag, 1, Buffer.concat([Buffer.from([10]), Buffer.from('hello'), Buffer.alloc(10)])),
        frame('headers', endHeaders | endStream, 1, fields([['x-sum', '5']])),
        frame('headers', endHeaders | endStream, 3, fields(request('nobody.acme.localhost'))),
        frame('headers', endHeaders | endStream, 5, fields(request(host, 'no path'))),
      )
      await visitor.until(({ type, stream, flags }) => type === frameTypes.headers && stream === 1 && (flags & 1) === 1)
      const head = `POST /7 HTTP/1.1\r\nHost: ${host}\r\ntransfer-encoding: chunked\r\n\r\n`
      await counted(plane, name, {
        bytesIn: head.length + 'hello'.length + 'x-sum: 5\r\n\r\n'.length,
        bytesOut: 'HTTP/1.1 200 \r\nx-a: b\r\n\r\n'.length + 7 + 'x-late: yes\r\n\r\n'.length,
        connections: 1,
        requests: 1,
      })
    }
  })

  test('of visitors of HTTP/1 at a service of HTTP/2 is what they have sent and received', async () => {
    await using closer = new AsyncDisposableStack()
    const ports = await services(closer)
    const { edge, plane } = await world(closer, { api: ports.http2 })
    const visitor = await rawVisitor(closer, edge.httpPort)
    const asked =
      'POST /3000 HTTP/1.1\r\nHost: api.acme.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n' +
      'GET /9 HTTP/1.1\r\nHost: api.acme.localhost\r\nConnection: close\r\n\r\n'
    visitor.socket.write(asked)
    const received = (await visitor.all).length
    await counted(plane, 'api', { bytesIn: asked.length, bytesOut: received, connections: 1, requests: 2 })
  })
})

describe('a workspace that comes over its quota', () => {
  const free = { connections: null, bytesPerSecond: null, overQuota: false }
  const call = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

  test('has its requests ended with that reason, in the words of each, and no others', async () => {
    await using closer = new AsyncDisposableStack()
    let asked = 0
    const http1 = await httpService(closer, (question, response) => {
      asked++
      if (question.url === '/begun') response.write('begun')
    })
    const { port: http2 } = await http2Service(closer, (stream: ServerHttp2Stream, headers) => {
      asked++
      if (headers[':path'] === '/begun') {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
        stream.write('begun')
      }
    })
    const { edge, plane } = await world(closer, { web: http1, api: http2 })
    const other = await handAgent(closer, edge, 'umbrella', forwardTo(http1))
    await other.open({ kind: 'http', name: 'calm' })
    const visitor = http2Visitor(closer, edge.httpPort)
    const web = { ':authority': 'web.acme.localhost' }
    const api = { ':authority': 'api.acme.localhost' }
    const held = {
      web: ask(visitor, { ...web, ':path': '/held' }),
      api: ask(visitor, { ...api, ':path': '/held' }),
      call: ask(visitor, { ...api, ...call, ':path': '/held' }, 'x'),
    }
    const begun = {
      web: visitor.request({ ...web, ':path': '/begun' }),
      api: visitor.request({ ...api, ':path': '/begun' }),
      call: visitor.request({ ...api, ...call, ':path': '/begun' }),
    }
    const answers = Object.fromEntries(Object.entries(begun).map(([name, stream]) => [name, answerOf(stream)]))
    await Promise.all(Object.values(begun).map((stream) => once(stream, 'data')))
    const calm = visitor.request({ ':authority': 'calm.umbrella.localhost', ':path': '/begun' })
    await once(calm, 'data')
    await eventually(() => asked === 7, 'all are asked')

    plane.orders().setLimits('acme', { ...free, overQuota: true })
    const problem = ({ status, headers, code }: Answer): unknown[] => [status, headers['pharos-error'], code]
    assert.deepEqual(problem(await held.web), [503, 'over_quota', 0])
    assert.deepEqual(problem(await held.api), [503, 'over_quota', 0])
    const refused = await held.call
    assert.deepEqual([refused.status, refused.headers['grpc-status'], refused.code], [200, '8', 0])
    for (const name of ['web', 'api']) {
      const { text, code } = (await answers[name]) ?? assert.fail()
      assert.deepEqual([text, code], ['begun', constants.NGHTTP2_ENHANCE_YOUR_CALM], name)
    }
    const { text, trailers, code } = (await answers.call) ?? assert.fail()
    assert.deepEqual([text, trailers['grpc-status'], code], ['begun', '8', 0])

    assert.deepEqual(problem(await ask(visitor, web)), [503, 'over_quota', 0])
    assert.deepEqual(problem(await ask(visitor, api)), [503, 'over_quota', 0])
    assert.equal((await ask(visitor, { ...api, ...call }, 'x')).headers['grpc-status'], '8')
    const old = await rawVisitor(closer, edge.httpPort)
    old.socket.write('GET / HTTP/1.1\r\nHost: api.acme.localhost\r\nConnection: close\r\n\r\n')
    assert.match((await old.all).toString(), /^HTTP\/1\.1 503 [\s\S]*"over_quota"/)
    assert.deepEqual([calm.closed, asked], [false, 7])

    plane.orders().setLimits('acme', free)
    const again = visitor.request({ ...web, ':path': '/begun' })
    assert.equal(String((await once(again, 'data'))[0]), 'begun')
  })

  test('and one that is suspended is away, in the words of each', async () => {
    await using closer = new AsyncDisposableStack()
    const { port: http2 } = await http2Service(closer, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write('begun')
    })
    const { edge, plane } = await world(closer, { api: http2 })
    const visitor = http2Visitor(closer, edge.httpPort)
    const stream = visitor.request({ ...call, ':authority': 'api.acme.localhost' })
    const answer = answerOf(stream)
    await once(stream, 'data')
    plane.orders().revoke({ of: 'workspace', workspaceId: 'acme' }, 'suspended')
    assert.equal((await answer).trailers['grpc-status'], '14')
    assert.equal((await ask(visitor, { ':authority': 'api.acme.localhost' })).headers['pharos-error'], 'agent_offline')
  })
})
