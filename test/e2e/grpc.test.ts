import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  Client,
  type ClientOptions,
  type ClientWritableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { type Agent, type AgentEvent, startAgent } from '../../src/agent/index.ts'
import { certificateFor } from '../../src/edge/testing/certificates.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { firstLine } from '../children.ts'
import { reservePort } from '../ports.ts'
import { until } from '../world/servers-world.ts'

const token = 'test-token-of-acme-0001'
const edgeProgram = join(import.meta.dirname, '../../src/edge/testing/edge-process.ts')

describe('a foreign gRPC client and server, through TLS that the edge ends', () => {
  const closer = new AsyncDisposableStack()
  const seen = { cancelled: 0, sent: 0, deadline: 0 }
  let edgePort = 0
  let certificate = ''
  let agent: Agent
  let client: Client

  const clientOf = (name: string, options: ClientOptions = {}): Client => {
    const host = `${name}.acme.localhost`
    const made = new Client(`127.0.0.1:${edgePort}`, credentials.createSsl(Buffer.from(certificate)), {
      'grpc.ssl_target_name_override': host,
      'grpc.default_authority': `${host}:${edgePort}`,
      'grpc.enable_retries': 0,
      // Connections are shared by address otherwise, whatever the name.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    })
    closer.defer(() => made.close())
    return made
  }

  before(async () => {
    const server = new Server()
    server.addService(echoService, {
      unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
        const trailers = new Metadata()
        trailers.set('x-trailer', 'late')
        trailers.set('bytes-bin', Buffer.from([0, 255, 1]))
        const head = new Metadata()
        for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-asked'])
          for (const value of call.metadata.get(name)) head.add(`seen-${name}`, value)
        call.sendMetadata(head)
        if (call.request.toString() === 'refuse')
          answer({ code: status.FAILED_PRECONDITION, details: 'nöt — now', metadata: trailers })
        else answer(null, Buffer.concat([call.request, Buffer.from('!')]), trailers)
      },
      never(call: ServerUnaryCall<Buffer, Buffer>) {
        seen.deadline = Number(call.getDeadline())
        call.on('cancelled', () => seen.cancelled++)
      },
      async download(call: ServerWritableStream<Buffer, Buffer>) {
        const [messages = 0, bytes = 0] = call.request.toString().split(' ').map(Number)
        const cancelled = once(call, 'cancelled')
        call.on('cancelled', () => seen.cancelled++)
        for (let index = 0; index < messages && !call.cancelled; index++) {
          const message = Buffer.alloc(bytes)
          message.writeUInt32BE(index)
          seen.sent++
          if (!call.write(message)) await Promise.race([once(call, 'drain'), cancelled])
        }
        call.end()
      },
      upload(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
        let bytes = 0
        call.on('data', (message: Buffer) => {
          bytes += message.length
          // Before the client has said all.
          if (message.toString() === 'enough') answer({ code: status.RESOURCE_EXHAUSTED, details: 'enough' })
        })
        call.on('end', () => answer(null, Buffer.from(String(bytes))))
      },
      talk(call: ServerDuplexStream<Buffer, Buffer>) {
        call.on('cancelled', () => seen.cancelled++)
        call.on('data', (message: Buffer) => call.write(Buffer.from(`heard ${message}`)))
        call.on('end', () => call.end())
      },
    })
    closer.defer(() => server.forceShutdown())
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
    const dataDir = await mkdtemp(join(tmpdir(), 'grpc-test-'))
    closer.defer(() => rm(dataDir, { recursive: true, force: true }))
    const tokensFile = join(dataDir, 'tokens.json')
    await writeFile(tokensFile, JSON.stringify({ [token]: 'acme' }))
    const pair = await certificateFor(['*.acme.localhost'])
    certificate = pair.certificate
    await writeFile(join(dataDir, 'edge.pem'), pair.certificate)
    await writeFile(join(dataDir, 'edge.key'), pair.key)
    edgePort = await reservePort()
    const spare = await reservePort()
    const edge = await startEdgeProcess(closer, {
      listenHost: '127.0.0.1',
      httpPort: edgePort,
      dataDir,
      tokensFile,
      certificate: join(dataDir, 'edge.pem'),
      certificateKey: join(dataDir, 'edge.key'),
      ports: { first: spare, last: spare },
    })
    const events: AgentEvent[] = []
    const target = { host: '127.0.0.1', port }
    agent = startAgent({
      edges: [{ host: '127.0.0.1', port: edgePort, pin: edge.pin }],
      credential: () => new Secret(token),
      tunnels: [
        { id: 'api', request: { kind: 'http', name: 'api', http2: true }, target },
        { id: 'plain', request: { kind: 'http', name: 'plain' }, target },
      ],
      log: silentLog,
      onEvent: (event) => events.push(event),
    })
    closer.use(agent)
    await until('both are open', () => events.filter(({ type }) => type === 'opened').length === 2)
    client = clientOf('api')
  })
  after(() => closer.disposeAsync())

  test('one message each way, with metadata before and behind it; only the edge says who the visitor is', async () => {
    const metadata = new Metadata()
    metadata.set('x-forwarded-for', '6.6.6.6')
    metadata.set('x-asked', 'yes')
    // Without --http2 too: gRPC is known by its content type.
    for (const [name, to] of Object.entries({ api: client, plain: clientOf('plain') })) {
      const answer = await unary(to, 'unary', Buffer.from('hello'), { metadata })
      assert.equal(answer.error, null)
      assert.equal(answer.message?.toString(), 'hello!')
      assert.deepEqual(answer.trailers.get('x-trailer'), ['late'])
      assert.deepEqual(answer.trailers.get('bytes-bin'), [Buffer.from([0, 255, 1])])
      const { 'seen-x-forwarded-for': from, ...rest } = answer.head.getMap()
      assert.equal(from, '127.0.0.1')
      assert.deepEqual(
        [rest['seen-x-forwarded-proto'], rest['seen-x-forwarded-host'], rest['seen-x-asked']],
        ['https', `${name}.acme.localhost:${edgePort}`, 'yes'],
      )
    }
  })

  test('a status that is none of HTTP, with its words and trailers', async () => {
    const { error } = await unary(client, 'unary', Buffer.from('refuse'))
    assert.deepEqual([error?.code, error?.details], [status.FAILED_PRECONDITION, 'nöt — now'])
    assert.deepEqual(error?.metadata.get('x-trailer'), ['late'])
  })

  test('messages of several MB', async () => {
    const big = Buffer.alloc(3_500_000, 'big')
    const { message } = await unary(client, 'unary', big)
    assert.ok(message?.equals(Buffer.concat([big, Buffer.from('!')])))
  })

  test('a stream from the server, whole and in order', async () => {
    let next = 0
    for await (const message of client.makeServerStreamRequest(path('download'), same, same, Buffer.from('2000 64')))
      assert.equal((message as Buffer).readUInt32BE(), next++)
    assert.equal(next, 2000)
  })

  test('a client that does not read stops the server', async () => {
    seen.sent = 0
    const total = 1024
    const bytes = 65_536
    const call = client.makeServerStreamRequest(path('download'), same, same, Buffer.from(`${total} ${bytes}`))
    let received = 0
    const [first] = (await once(call, 'data')) as [Buffer]
    call.pause()
    received = first ? 1 : 0
    await settled(() => seen.sent)
    // Windows and buffers of three hops of HTTP/2 and one of the link, not the 64 MB that the server has to say.
    assert.ok(seen.sent * bytes < 16_000_000, `${seen.sent} messages are on their way`)
    call.on('data', () => received++)
    call.resume()
    await once(call, 'end')
    assert.deepEqual([received, seen.sent], [total, total])
  })

  test('a stream from the client', async () => {
    const { call, answer } = upload(client)
    for (let index = 0; index < 100; index++) if (!call.write(Buffer.alloc(50_000))) await once(call, 'drain')
    call.end()
    assert.equal((await answer).toString(), '5000000')
  })

  test('a server that answers before it has heard all', async () => {
    const { call, answer } = upload(client)
    call.on('error', () => undefined)
    call.write(Buffer.from('enough'))
    await assert.rejects(answer, { code: status.RESOURCE_EXHAUSTED, details: 'enough' })
  })

  test('both speak in turn', async () => {
    const call = client.makeBidiStreamRequest(path('talk'), same, same)
    for (const word of ['one', 'two', 'three']) {
      call.write(Buffer.from(word))
      assert.equal(String((await once(call, 'data'))[0]), `heard ${word}`)
    }
    call.end()
    const [{ code }] = (await once(call.resume(), 'status')) as [{ code: number }]
    assert.equal(code, status.OK)
  })

  test('a deadline reaches the server, and ends the call on both sides', async () => {
    const before = seen.cancelled
    // Long enough for the call to arrive on a busy machine.
    const deadline = Date.now() + 3_000
    const { error } = await unary(client, 'never', Buffer.from('x'), { deadline })
    assert.equal(error?.code, status.DEADLINE_EXCEEDED)
    assert.ok(seen.deadline > 0, 'the server has heard of the deadline')
    await until('the server hears of it', () => seen.cancelled === before + 1)
  })

  test('a call that is cancelled ends at the server, also while much is on its way', async () => {
    const talk = client.makeBidiStreamRequest(path('talk'), same, same)
    talk.write(Buffer.from('x'))
    const download = client.makeServerStreamRequest(path('download'), same, same, Buffer.from('100000 60000'))
    for (const call of [talk, download]) {
      const before = seen.cancelled
      await once(call, 'data')
      const ended = once(call, 'error') as Promise<[ServiceError]>
      call.cancel()
      assert.equal((await ended)[0].code, status.CANCELLED)
      await until('the server hears of it', () => seen.cancelled === before + 1)
    }
  })

  test('many calls at once over one connection', async () => {
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, index) => unary(client, 'unary', Buffer.from(String(index)))),
    )
    assert.deepEqual(
      answers.map(({ message }) => message?.toString()),
      answers.map((_, index) => `${index}!`),
    )
  })

  test('what the edge itself has to say is a status of gRPC, before an answer and behind its beginning', async () => {
    const nobody = await unary(clientOf('nobody'), 'unary', Buffer.from('x'))
    assert.equal(nobody.error?.code, status.NOT_FOUND)
    const call = client.makeBidiStreamRequest(path('talk'), same, same)
    call.write(Buffer.from('x'))
    await once(call, 'data')
    const ended = once(call, 'error') as Promise<[ServiceError]>
    await agent[Symbol.asyncDispose]()
    assert.equal((await ended)[0].code, status.UNAVAILABLE)
    const away = await unary(client, 'unary', Buffer.from('x'))
    assert.equal(away.error?.code, status.UNAVAILABLE)
  })
})

const same = (bytes: Buffer): Buffer => bytes
const path = (method: string): string => `/test.Echo/${method}`

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: path(name),
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

const echoService = {
  unary: method('unary', false, false),
  never: method('never', false, false),
  download: method('download', false, true),
  upload: method('upload', true, false),
  talk: method('talk', true, true),
}

interface UnaryAnswer {
  error: ServiceError | null
  message: Buffer | undefined
  head: Metadata
  trailers: Metadata
}

/** Never rejects. */
function unary(
  client: Client,
  name: string,
  message: Buffer,
  { metadata = new Metadata(), deadline }: { metadata?: Metadata; deadline?: number } = {},
): Promise<UnaryAnswer> {
  let head = new Metadata()
  let trailers = new Metadata()
  return new Promise((resolve) => {
    const call = client.makeUnaryRequest(
      path(name),
      same,
      same,
      message,
      metadata,
      deadline === undefined ? {} : { deadline },
      (error, answer) => setImmediate(() => resolve({ error, message: answer, head, trailers })),
    )
    call.on('metadata', (found) => {
      head = found
    })
    call.on('status', ({ metadata: found }) => {
      trailers = found
    })
  })
}

function upload(client: Client): { call: ClientWritableStream<Buffer>; answer: Promise<Buffer> } {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const call = client.makeClientStreamRequest<Buffer, Buffer>(path('upload'), same, same, (error, value) =>
    error || !value ? reject(error) : resolve(value),
  )
  return { call, answer: promise }
}

/** Resolves once a number has stopped growing: nobody tells that nothing more will come. */
async function settled(value: () => number): Promise<void> {
  for (let last = -1, quiet = 0; quiet < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    quiet = value() === last ? quiet + 1 : 0
    last = value()
  }
}

async function startEdgeProcess(
  closer: AsyncDisposableStack,
  config: object,
): Promise<{ child: ChildProcess; pin: string }> {
  const child = spawn(process.execPath, [edgeProgram], { stdio: ['pipe', 'pipe', 'inherit'] })
  closer.defer(() => {
    child.kill('SIGKILL')
  })
  child.stdin.end(JSON.stringify(config))
  return { child, pin: (JSON.parse(await firstLine(child)) as { pin: string }).pin }
}
