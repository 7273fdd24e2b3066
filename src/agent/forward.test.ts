import assert from 'node:assert/strict'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { reservePort } from '../../test/ports.ts'
import type { VisitorHead } from '../contract/tunnel.ts'
import { silentLog } from '../lib/log.ts'
import { acceptLinks, dialLink, type LinkError, type LinkStream, memoryPair } from '../link/index.ts'
import { forward, type LocalTarget } from './forward.ts'

const visitor: VisitorHead = {
  tunnelId: 't',
  protocol: 'tcp',
  address: '203.0.113.7',
  port: 51_000,
  localAddress: '192.0.2.1',
  localPort: 30_000,
  offset: 0,
}

/** Opens streams as an edge does; the other end forwards them to the target. */
async function edgeBefore(
  closer: AsyncDisposableStack,
  target: LocalTarget,
  onUnreachable?: (message: string) => void,
): Promise<(head?: Partial<VisitorHead>) => LinkStream> {
  const [left, right] = memoryPair()
  const acceptor = closer.use(
    acceptLinks({
      log: silentLog,
      greet: async () => ({
        welcome: {},
        events: { onStream: (stream) => forward(stream, target, heads.shift() ?? visitor, onUnreachable) },
      }),
    }),
  )
  acceptor.accept(left)
  const heads: VisitorHead[] = []
  const link = await dialLink({
    dialler: Object.assign(async () => right, { lanes: 1 }),
    hello: {},
    events: { onStream: (stream) => stream.destroy() },
  })
  closer.defer(() => link.close('the test is over'))
  return (head = {}) => {
    heads.push({ ...visitor, ...head })
    return link.open({})
  }
}

async function tcpPort(
  closer: AsyncDisposableStack,
  answer: (heard: string) => string,
  host = '127.0.0.1',
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let heard = ''
    socket.setEncoding('latin1').on('data', (part) => {
      heard += part
    })
    socket.on('end', () => socket.end(answer(heard)))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  closer.defer(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A service that keeps what it hears, and who said it. */
async function udpService(closer: AsyncDisposableStack, host = '127.0.0.1', wanted = 0) {
  const socket: UdpSocket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const heard: { text: string; from: number }[] = []
  socket.on('message', (payload, from) => {
    heard.push({ text: payload.toString('latin1'), from: from.port })
    socket.send(`re: ${payload.toString('latin1')}`, from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(wanted, host, resolve))
  let open = true
  const close = (): void => {
    if (open) socket.close()
    open = false
  }
  closer.defer(close)
  return { port: socket.address().port, heard, close }
}

const nextDatagram = (stream: LinkStream): Promise<string> =>
  new Promise((resolve) => {
    stream.onDatagram = (payload) => resolve(payload.toString('latin1'))
  })

async function ask(stream: LinkStream, question: string): Promise<string> {
  const answer = nextDatagram(stream)
  stream.sendDatagram(Buffer.from(question, 'latin1'))
  return await answer
}

test('a range of ports leads to as many local ones', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await tcpPort(closer, (heard) => `heard ${heard}`)
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: port - 7 })
  const stream = open({ offset: 7 })
  stream.end('hello')
  assert.equal(String((await stream.toArray()).join('')), 'heard hello')
})

test('a service that wants it is told who its visitor is, before the first byte', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await tcpPort(closer, (heard) => heard)
  const open = await edgeBefore(closer, { host: '127.0.0.1', port, proxyProtocol: 'v1' })
  const stream = open()
  stream.end('hello')
  assert.equal((await stream.toArray()).join(''), 'PROXY TCP4 203.0.113.7 192.0.2.1 51000 30000\r\nhello')
})

test('a service that is not there resets the stream as unreachable, whichever port of the range it is', async () => {
  await using closer = new AsyncDisposableStack()
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: 1 })
  for (const offset of [0, 1]) {
    const stream = open({ offset })
    const [error] = (await once(stream, 'error').catch((found: unknown) => [found])) as [LinkError]
    assert.equal(error.code, 'unreachable')
    assert.match(error.message, new RegExp(`127.0.0.1:${1 + offset} cannot be reached: nothing listens there`))
  }
})

test('localhost is whichever loopback address the service listens on', async () => {
  await using closer = new AsyncDisposableStack()
  for (const host of ['127.0.0.1', '::1']) {
    const port = await tcpPort(closer, (heard) => `${host} heard ${heard}`, host)
    const stream = (await edgeBefore(closer, { host: 'localhost', port }))()
    stream.end('hello')
    assert.equal((await stream.toArray()).join(''), `${host} heard hello`)
  }
})

test('whoever forwards hears of a service that is not there, in words for people', async () => {
  await using closer = new AsyncDisposableStack()
  const heard: string[] = []
  const open = await edgeBefore(closer, { host: 'localhost', port: 1 }, (message) => heard.push(message))
  await once(open(), 'error').catch(() => undefined)
  assert.deepEqual(heard, ['The service at localhost:1 cannot be reached: nothing listens there.'])
})

test('each visitor’s datagrams come from a port of their own, and answers find the way back', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer)
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: service.port - 3 })
  const [first, second] = [open({ protocol: 'udp', offset: 3 }), open({ protocol: 'udp', offset: 3 })]
  assert.equal(await ask(first, 'one'), 're: one')
  assert.equal(await ask(second, 'two'), 're: two')
  assert.equal(await ask(first, 'three'), 're: three')
  const [a, b, c] = service.heard
  assert.deepEqual([a?.from === c?.from, a?.from === b?.from], [true, false])
})

test('datagrams keep their borders, also empty ones, and what comes before the way is open is not lost', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer)
  const open = await edgeBefore(closer, { host: 'localhost', port: service.port })
  const stream = open({ protocol: 'udp' })
  const answers: string[] = []
  const all = new Promise<void>((resolve) => {
    stream.onDatagram = (payload) => {
      answers.push(payload.toString('latin1'))
      if (answers.length === 4) resolve()
    }
  })
  const long = 'x'.repeat(1_400)
  for (const text of ['a', '', 'bc', long]) stream.sendDatagram(Buffer.from(text))
  await all
  assert.deepEqual(answers.sort(), ['re: ', 're: a', 're: bc', `re: ${long}`])
})

test('a service with IPv6 alone is reached, too', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer, '::1')
  const open = await edgeBefore(closer, { host: '::1', port: service.port })
  assert.equal(await ask(open({ protocol: 'udp' }), 'six'), 're: six')
})

test('the first datagram of a flow says who the visitor is where the service wants that, the others do not', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer)
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: service.port, proxyProtocol: 'v2' })
  const stream = open({ protocol: 'udp' })
  await ask(stream, 'one')
  await ask(stream, 'two')
  const [first, second] = service.heard.map(({ text }) => Buffer.from(text, 'latin1'))
  assert.equal(first?.subarray(0, 28).toString('hex'), '0d0a0d0a000d0a515549540a2112000ccb007107c0000201c7387530')
  assert.equal(first?.subarray(28).toString(), 'one')
  assert.equal(second?.toString(), 'two')
})

test('a service that does not listen harms nothing: the flow goes on when it is back', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer, '127.0.0.1', await reservePort())
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: service.port })
  const stream = open({ protocol: 'udp' })
  await ask(stream, 'before')
  service.close()
  for (let lost = 0; lost < 20; lost++) {
    stream.sendDatagram(Buffer.from('lost'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const again = createSocket('udp4')
  closer.defer(() => {
    again.close()
  })
  again.on('message', (_, from) => again.send('back', from.port, from.address))
  await new Promise<void>((resolve) => again.bind(service.port, '127.0.0.1', resolve))
  const answer = nextDatagram(stream)
  // One that is on its way while the port opens may still meet the old refusal.
  const asking = setInterval(() => stream.sendDatagram(Buffer.from('again')), 20)
  assert.equal(await answer, 'back')
  clearInterval(asking)
  assert.equal(stream.destroyed, false)
})

test('the local socket is given up when the flow ends', async () => {
  await using closer = new AsyncDisposableStack()
  const service = await udpService(closer)
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: service.port })
  const before = udpSockets()
  const streams = [open({ protocol: 'udp' }), open({ protocol: 'udp' })]
  for (const stream of streams) await ask(stream, 'hello')
  assert.equal(udpSockets(), before + 2)
  for (const stream of streams) stream.destroy()
  const deadline = Date.now() + 30_000
  while (udpSockets() > before) {
    assert.ok(Date.now() < deadline, 'the sockets are still open')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
})

const udpSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length

/** A service that is about to be up. */
function comingService() {
  const up = Promise.withResolvers<void>()
  let there = false
  up.promise.then(
    () => {
      there = true
    },
    () => {
      there = true
    },
  )
  return { ...up, coming: () => (there ? null : up.promise) }
}

test('a service that is coming is waited for, and hears every byte and datagram', async () => {
  await using closer = new AsyncDisposableStack()
  const port = await reservePort()
  const { coming, resolve } = comingService()
  const open = await edgeBefore(closer, { host: '127.0.0.1', port, coming })
  const stream = open()
  stream.end('early')
  const flow = open({ protocol: 'udp' })
  const answer = nextDatagram(flow)
  flow.sendDatagram(Buffer.from('knock'))
  const answered = stream.toArray()
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
  await once(server.listen(port, '127.0.0.1'), 'listening')
  closer.defer(() => void server.close())
  await udpService(closer, '127.0.0.1', port)
  resolve()
  assert.equal((await answered).join(''), 'early')
  assert.equal(await answer, 're: knock')
})

test('a service that does not come after all is told as one that is not there', async () => {
  await using closer = new AsyncDisposableStack()
  const { coming, reject } = comingService()
  const open = await edgeBefore(closer, { host: '127.0.0.1', port: 1, coming })
  const stream = open()
  const failed = once(stream, 'error').catch((found: unknown) => [found])
  reject(new Error('it crashed'))
  const [error] = (await failed) as [LinkError]
  assert.equal(error.code, 'unreachable')
})
