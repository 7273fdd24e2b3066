import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type Engine, openEngine } from './engine.ts'
import { connectEngine, EngineAway, EngineRefusal } from './engine-http.ts'
import { imageReference } from './image-name.ts'
import { logBytes } from './log-frames.ts'

const version = { Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12' }

/** An engine that answers what a test wants; `about` answers who it is. */
async function engineThat(t: TestContext, answer: RequestListener, about: object = version): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-engine-'))
  const server = createServer((request, response) => {
    if (request.url === '/version') return void response.end(JSON.stringify(about))
    if (request.url === '/info')
      return void response.end('{"NCPU":2,"SecurityOptions":["name=seccomp,profile=default"]}')
    answer(request, response)
  })
  const socket = join(folder, 's')
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const http = connectEngine(socket)
  t.after(async () => {
    http[Symbol.dispose]()
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
  })
  return openEngine(http)
}

describe('an engine', () => {
  test('is asked in the newest version that both speak', async (t) => {
    const urls: string[] = []
    const answer: RequestListener = (request, response) => {
      urls.push(request.url ?? '')
      response.statusCode = 404
      response.end('{"message":"no such thing"}')
    }
    const old = await engineThat(t, answer)
    const newest = await engineThat(t, answer, { ...version, ApiVersion: '1.99', MinAPIVersion: '1.44' })
    const beyond = await engineThat(t, answer, { ...version, ApiVersion: '1.99', MinAPIVersion: '1.90' })
    for (const engine of [old, newest, beyond]) assert.equal(await engine.inspect('a/../b'), null)
    assert.deepEqual(
      urls.map((url) => url.split('/')[1]),
      ['v1.41', 'v1.51', 'v1.90'],
    )
    assert.match(urls[0] ?? '', /a%2F\.\.%2Fb/)
  })

  test('that refuses is quoted in one short line without what a terminal would act on', async (t) => {
    const engine = await engineThat(t, (_, response) => {
      response.statusCode = 500
      response.end(JSON.stringify({ message: `\u001b[31mno\u202e\r\n${'x'.repeat(10_000)}` }))
    })
    await assert.rejects(engine.start('one'), (error) => {
      assert.ok(error instanceof EngineRefusal)
      assert.match(error.message, /^\[31mno x+$/)
      assert.ok(error.message.length <= 500)
      return true
    })
  })

  for (const [what, answer] of [
    ['breaks off', (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('{"State"')],
    ['floods', (_, response) => void response.end(Buffer.alloc(5 * 1024 * 1024, 32))],
    ['hangs up', (request) => void request.socket.destroy()],
  ] as const satisfies readonly (readonly [string, RequestListener])[]) {
    test(`that ${what} counts as away`, async (t) => {
      const engine = await engineThat(t, (request, response) => {
        answer(request, response)
        if (what === 'breaks off') setImmediate(() => request.socket.destroy())
      })
      await assert.rejects(engine.inspect('one'), EngineAway)
    })
  }

  test('that answers with something else is no container’s state', async (t) => {
    const engine = await engineThat(t, (_, response) => void response.end('[]'))
    await assert.rejects(engine.inspect('one'))
    assert.equal(await engine.usage('one'), null)
  })

  test('tells of a download, and of its failure in the middle of it', async (t) => {
    const line = (value: object): string => `${JSON.stringify(value)}\r\n`
    let last = line({ status: 'Pull complete', id: 'a' })
    const engine = await engineThat(t, (_, response) => {
      response.write(line({ status: 'Downloading', id: 'a', progressDetail: { current: 10, total: 100 } }))
      response.write('not json\n{"status":')
      response.end(
        `"é"}\n${line({ status: 'Downloading', id: 'b', progressDetail: { current: 5, total: 50 } })}${last}`,
      )
    })
    const told: [number, number][] = []
    const pull = () => engine.pull('alpine', (done, total) => told.push([done, total]), new AbortController().signal)
    await pull()
    assert.deepEqual(told, [
      [10, 100],
      [15, 150],
    ])
    last = line({ error: 'manifest unknown' })
    await assert.rejects(pull(), (error) => error instanceof EngineRefusal && error.message === 'manifest unknown')
  })

  test('is not waited for once nobody wants its answer', async (t) => {
    const asked = Promise.withResolvers<void>()
    const engine = await engineThat(t, () => asked.resolve())
    const nobody = new AbortController()
    const pull = engine.pull('alpine', () => undefined, nobody.signal)
    await asked.promise
    nobody.abort()
    await assert.rejects(pull, { name: 'AbortError' })
  })
})

test('an image is named in full, as docker pull completes it', () => {
  const id = `sha256:${'a'.repeat(64)}`
  for (const [image, whole] of [
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3', 'docker.io/library/alpine:3'],
    ['itzg/minecraft', 'docker.io/itzg/minecraft:latest'],
    ['ghcr.io/a/b:java_21', 'ghcr.io/a/b:java_21'],
    ['localhost/a', 'localhost/a:latest'],
    ['host:5000/a', 'host:5000/a:latest'],
    [`a@${id}`, `docker.io/library/a@${id}`],
    [id, id],
  ] as const)
    assert.equal(imageReference(image), whole)
})

describe('the engine’s log', () => {
  const frame = (stream: number, text: string): Buffer => {
    const head = Buffer.alloc(8)
    head[0] = stream
    head.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([head, Buffer.from(text)])
  }
  test('is what was written, in its order, without the rest', () => {
    const log = Buffer.concat([frame(1, 'one\n'), frame(0, 'input'), frame(2, 'two\n')])
    assert.equal(logBytes(log, 100).toString(), 'one\ntwo\n')
    assert.equal(logBytes(log, 4).toString(), 'two\n')
  })
  test('is read up to where it breaks off or is no log', () => {
    assert.equal(logBytes(Buffer.concat([frame(1, 'one'), frame(1, 'two').subarray(0, 10)]), 100).toString(), 'onetw')
    assert.equal(logBytes(Buffer.concat([frame(1, 'one'), Buffer.from('garbage of a game')]), 100).toString(), 'one')
    assert.equal(logBytes(Buffer.from([1, 0, 0, 0, 255, 255, 255, 255, 65]), 100).toString(), 'A')
    assert.equal(logBytes(Buffer.alloc(0), 100).toString(), '')
  })
})
