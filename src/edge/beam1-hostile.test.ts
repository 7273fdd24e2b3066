import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import {
  ack,
  type Beam1Peer,
  controlStream,
  dataFrame,
  fin,
  goAwayFrame,
  type Message,
  pingFrame,
  rst,
  syn,
  windowFrame,
} from '../../test/world/beam1-peer.ts'
import type { Beam1Limits } from './beam1/limits.ts'
import { type Beam1Edge, beam1Agent, beam1Edge, certifiedHost } from './testing/beam1.ts'
import { clientHello } from './testing/client-hello.ts'
import { acmeToken, httpService, type RawVisitor, rawVisitor, umbrellaToken } from './testing/world.ts'

/** An edge with one honest agent, which must be served whatever others do. */
async function edgeWithHonest(closer: AsyncDisposableStack, beam1Limits: Partial<Beam1Limits> = {}) {
  const edge = await beam1Edge(closer, { beam1Limits })
  const service = await httpService(closer, (_, response) => response.end('honest'))
  const honest = await beam1Agent(closer, edge)
  await honest.hello(umbrellaToken)
  await honest.register('web', service)
  return {
    edge,
    assertServes: async (): Promise<void> => {
      const visitor = await visitorOf(closer, edge, 'web.umbrella.localhost')
      assert.match((await visitor.all).toString(), /honest$/)
      assert.deepEqual(honest.faults, [])
    },
  }
}

/** A visitor whose request is sent. */
async function visitorOf(
  closer: AsyncDisposableStack,
  edge: Beam1Edge,
  host = 'web.acme.localhost',
): Promise<RawVisitor> {
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  return visitor
}

/** An agent that was let in and serves `web` by hand: `stream` resolves to the number of the first visitor's stream. */
async function byHand(
  closer: AsyncDisposableStack,
  edge: Beam1Edge,
): Promise<{ agent: Beam1Peer; stream: Promise<number> }> {
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  await agent.register('web', 1)
  const opened = Promise.withResolvers<number>()
  agent.onFrame = ({ flags, stream }) => {
    if ((flags & syn) === 0 || stream === 0) return stream !== controlStream && stream !== 0
    agent.frame(windowFrame, ack, stream, 0)
    opened.resolve(stream)
    return true
  }
  return { agent, stream: opened.promise }
}

const lastFrame = (agent: Beam1Peer): unknown[] => {
  const { type, length } = agent.frames.at(-1) ?? {}
  return [type, length]
}

const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')

test('what breaks the rules ends its session with a go-away that says so, and nobody else’s', async (t) => {
  await using closer = new AsyncDisposableStack()
  const { edge, assertServes } = await edgeWithHonest(closer, { idleFramesBurst: 100, idleFramesPerSecond: 1 })
  const breaches: Record<string, (agent: Beam1Peer) => void> = {
    'a frame of another version': (agent) => agent.socket.write(Buffer.from([1, ...Buffer.alloc(11)])),
    'a frame of another type': (agent) => agent.frame(4, 0, 0, 0),
    'an unknown flag': (agent) => agent.frame(windowFrame, 16, controlStream, 0),
    'data of no stream': (agent) => agent.data(0, Buffer.from('x')),
    'a window of no stream': (agent) => agent.frame(windowFrame, 0, 0, 1),
    'a ping of a stream': (agent) => agent.frame(pingFrame, syn, controlStream, 1),
    'a go-away of a stream': (agent) => agent.frame(goAwayFrame, 0, controlStream, 0),
    'a second stream': (agent) => agent.frame(windowFrame, syn, 3, 0),
    'the control stream once more': (agent) => agent.frame(windowFrame, syn, controlStream, 0),
    'a stream with a number of the edge': (agent) => agent.frame(windowFrame, syn, 2, 0),
    'data of a stream that the edge has not opened': (agent) => agent.data(2, Buffer.from('x')),
    'data of a stream that the agent has not opened': (agent) => agent.data(5, Buffer.from('x')),
    'more data than the window': (agent) => agent.frame(dataFrame, 0, controlStream, 256 * 1024 + 1),
    'a frame as large as its number can say': (agent) => agent.frame(dataFrame, 0, controlStream, 2 ** 32 - 1),
    'a window out of range': (agent) => agent.frame(windowFrame, 0, controlStream, 2 ** 32 - 1),
    'a flood of pings': (agent) => {
      for (let ping = 0; ping < 200; ping++) agent.frame(pingFrame, syn, 0, ping)
    },
    'a flood of answers to no ping': (agent) => {
      for (let ping = 0; ping < 200; ping++) agent.frame(pingFrame, ack, 0, 1_000_000)
    },
    'a flood of empty frames': (agent) => {
      for (let frame = 0; frame < 200; frame++) agent.frame(dataFrame, 0, controlStream, 0)
    },
    'a flood of windows that say nothing': (agent) => {
      for (let frame = 0; frame < 200; frame++) agent.frame(windowFrame, 0, controlStream, 0)
    },
  }
  for (const [breach, commit] of Object.entries(breaches))
    await t.test(breach, async () => {
      for (const known of [false, true]) {
        const agent = await beam1Agent(closer, edge)
        if (known) await agent.hello(acmeToken)
        else agent.openControl()
        commit(agent)
        await agent.closed
        assert.deepEqual(lastFrame(agent), [goAwayFrame, 1])
      }
    })
  await assertServes()
})

test('what breaks the rules on a visitor’s stream ends the session, and the visitor learns that it is not whole', async (t) => {
  await using closer = new AsyncDisposableStack()
  const { edge, assertServes } = await edgeWithHonest(closer)
  const breaches: Record<string, (agent: Beam1Peer, stream: number) => void> = {
    'data behind the end': (agent, stream) => {
      agent.data(stream, answer, fin)
      agent.data(stream, Buffer.from('x'))
    },
    'a second end': (agent, stream) => {
      agent.data(stream, answer, fin)
      agent.frame(windowFrame, fin, stream, 0)
    },
    'more data than the window': (agent, stream) => {
      agent.data(stream, answer)
      agent.frame(dataFrame, 0, stream, 256 * 1024)
    },
    'a window out of range': (agent, stream) => {
      agent.data(stream, answer)
      for (let time = 0; time < 2; time++) agent.frame(windowFrame, 0, stream, 2 ** 31 - 1)
    },
  }
  for (const [breach, commit] of Object.entries(breaches))
    await t.test(breach, async () => {
      const { agent, stream } = await byHand(closer, edge)
      const visitor = await visitorOf(closer, edge)
      commit(agent, await stream)
      await agent.closed
      assert.deepEqual(lastFrame(agent), [goAwayFrame, 1])
      assert.equal((await visitor.all).includes('\r\n\r\nx'), false)
    })
  await assertServes()
})

test('a hello that is not accepted is answered with the reason, and the end', async (t) => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await edgeWithHonest(closer)
  const hello = { type: 'hello', token: acmeToken, proto_version: 1 }
  const refusals: [what: string, line: string, code: string, message?: RegExp][] = [
    ['what is not JSON', '{', 'bad_hello'],
    ['what is no object', '7', 'bad_hello', /first message must be hello/],
    ['another message', JSON.stringify({ type: 'register', port: 80 }), 'bad_hello', /first message must be hello/],
    ['no version', JSON.stringify({ type: 'hello', token: acmeToken }), 'bad_version', /version 0/],
    [
      'another version',
      JSON.stringify({ ...hello, proto_version: 2 }),
      'bad_version',
      /2 is not supported; expected 1/,
    ],
    ['no token', JSON.stringify({ type: 'hello', proto_version: 1 }), 'bad_hello', /token/],
    ['a token that is too long', JSON.stringify({ ...hello, token: 'x'.repeat(513) }), 'bad_hello', /token/],
    ['a token of nobody', JSON.stringify({ ...hello, token: 'x'.repeat(20) }), 'bad_token'],
    [
      'a scope that is not the token’s',
      JSON.stringify({ ...hello, scope: 'umbrella' }),
      'bad_token',
      /scope "umbrella"/,
    ],
    ['a line that is too long', JSON.stringify({ ...hello, token: 'x'.repeat(70_000) }), 'bad_hello', /longer than/],
  ]
  for (const [what, line, code, message = /./] of refusals)
    await t.test(what, async () => {
      const agent = await beam1Agent(closer, edge)
      agent.openControl()
      agent.sayLine(line)
      const told = await agent.next()
      assert.deepEqual([told?.type, told?.code], ['error', code])
      assert.match(String(told?.message), message)
      await agent.closed
    })
})

test('a message that is not accepted is answered, and the session goes on', async (t) => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await edgeWithHonest(closer)
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  const refusals: [what: string, message: Message, code: string, name?: string][] = [
    ['a message without a type', { name: 'web' }, 'bad_message'],
    ['an unknown message', { type: 'dance' }, 'unknown_message'],
    ['a hello once more', { type: 'hello', token: acmeToken, proto_version: 1 }, 'unknown_message'],
    ['a register without a port', { type: 'register', name: 'web' }, 'bad_message'],
    ['a port that is none', { type: 'register', name: 'web', port: 70_000 }, 'bad_message'],
    ['a name that is none', { type: 'register', name: 'Web_1', port: 80 }, 'invalid_name', 'Web_1'],
    ['a name that would be two', { type: 'register', name: 'a.b', port: 80 }, 'invalid_name', 'a.b'],
    ['datagrams, which it has no words for', { type: 'register', name: 'voice', port: 80, kind: 'udp' }, 'bad_message'],
    ['a name that is not text', { type: 'unregister', name: 7 }, 'bad_message'],
  ]
  for (const [what, message, code, name] of refusals)
    await t.test(what, async () => {
      agent.say(message)
      const told = await agent.next()
      assert.deepEqual([told?.type, told?.code, told?.name], ['error', code, name])
    })
  agent.say({ type: 'unregister', name: 'never-registered' })
  agent.say({ type: 'heartbeat' })
  assert.equal((await agent.register('web', 80))?.type, 'registered')
})

test('a message that cannot be read, and too many of them, end the session', async (t) => {
  await using closer = new AsyncDisposableStack()
  const { edge, assertServes } = await edgeWithHonest(closer, { messagesBurst: 50, messagesPerSecond: 1 })
  const ends: [what: string, commit: (agent: Beam1Peer) => void, code: string][] = [
    ['what is not JSON', (agent) => agent.sayLine('{'), 'bad_message'],
    ['a line without an end', (agent) => agent.data(controlStream, Buffer.alloc(70_000, 'x')), 'bad_message'],
    [
      'a line byte by byte',
      (agent) => {
        for (let byte = 0; byte < 5_000; byte++) agent.data(controlStream, Buffer.from('x'))
      },
      'bad_message',
    ],
    [
      'too many messages',
      (agent) => {
        for (let time = 0; time < 60; time++) agent.say({ type: 'heartbeat' })
      },
      'over_limit',
    ],
    ['the end of the control stream', (agent) => agent.frame(windowFrame, fin, controlStream, 0), ''],
    ['the reset of the control stream', (agent) => agent.frame(windowFrame, rst, controlStream, 0), ''],
  ]
  for (const [what, commit, code] of ends)
    await t.test(what, async () => {
      const agent = await beam1Agent(closer, edge)
      await agent.hello(acmeToken)
      commit(agent)
      assert.equal((await agent.next())?.code ?? '', code)
      await agent.closed
    })
  await assertServes()
})

test('an agent that does not take its answers costs a bounded amount, and is gone', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, assertServes } = await edgeWithHonest(closer, { messagesBurst: 1_000_000, answersBytesMax: 10_000 })
  const agent = await beam1Agent(closer, edge)
  await agent.hello(acmeToken)
  // Never grants more than its first window again.
  agent.onFrame = () => true
  const message = { type: 'x'.repeat(64) }
  for (let time = 0; time < 40_000 && !agent.socket.destroyed; time += 1_000) {
    for (let more = 0; more < 1_000; more++) agent.say(message)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await agent.closed
  await assertServes()
})

test('crumbs for a visitor who does not read cost that stream, and no other one of the session', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge, assertServes } = await edgeWithHonest(closer, { unreadBytesMax: 4_000_000 })
  const { agent, stream } = await byHand(closer, edge)
  const visitor = await visitorOf(closer, edge)
  visitor.socket.pause()
  const number = await stream
  const wasReset = new Promise<void>((resolve) => {
    agent.onFrame = ({ stream: of, flags }) => {
      if (of === number && (flags & rst) !== 0) resolve()
      return of === number
    }
  })
  agent.data(number, Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n'))
  // What the visitor's connection takes before it stands still comes first, within the windows that are granted for it.
  let mayHave = 200_000
  const granted = agent.onFrame
  agent.onFrame = (frame) => {
    if (frame.stream === number && frame.type === windowFrame) mayHave += frame.length
    return granted?.(frame) ?? false
  }
  let over = false
  void wasReset.then(() => {
    over = true
  })
  for (let rest = 0; !over; rest++) {
    if (mayHave > 70_000) {
      mayHave -= 65_536
      agent.data(number, Buffer.alloc(65_536))
    } else if (mayHave > 0) {
      const crumbs = Math.min(mayHave, 1_000)
      mayHave -= crumbs
      for (let crumb = 0; crumb < crumbs; crumb++) agent.data(number, Buffer.from('x'))
    }
    await new Promise((resolve) => setImmediate(resolve))
    if (rest % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  agent.onFrame = null
  const service = await httpService(closer, (_, response) => response.end('another'))
  await agent.register('docs', service)
  const other = await visitorOf(closer, edge, 'docs.acme.localhost')
  assert.match((await other.all).toString(), /another$/)
  await assertServes()
})

test('a stream that the agent resets is a service that does not answer, or that breaks off', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await edgeWithHonest(closer)
  for (const begun of [false, true]) {
    const { agent, stream } = await byHand(closer, edge)
    const visitor = await visitorOf(closer, edge)
    const number = await stream
    if (begun) {
      agent.data(number, answer)
      await visitor.until('\r\n\r\n')
    }
    agent.frame(windowFrame, rst, number, 0)
    // Late: of a stream that is over.
    agent.data(number, Buffer.from('late'))
    agent.frame(windowFrame, fin, number, 0)
    const text = (await visitor.all).toString()
    if (begun) assert.equal(text, answer.toString().replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    else assert.match(text, /^HTTP\/1\.1 502 [\s\S]*service_unreachable/)
    assert.equal((await agent.register('more', 80))?.type, 'registered')
    agent.socket.destroy()
    await agent.closed
  }
})

test('an agent that goes finishes what it has begun, and is gone then', async () => {
  await using closer = new AsyncDisposableStack()
  const { edge } = await edgeWithHonest(closer)
  const { agent, stream } = await byHand(closer, edge)
  const visitor = await visitorOf(closer, edge)
  const number = await stream
  agent.frame(goAwayFrame, 0, 0, 0)
  const late = await visitorOf(closer, edge)
  assert.match((await late.all).toString(), /^HTTP\/1\.1 502 /)
  agent.data(number, Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), fin)
  assert.match((await visitor.all).toString(), /\r\n\r\nok$/)
  await agent.closed
})

test('an agent that says nothing is gone, and so is one that answers pings and has no heartbeat', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer, { beam1Limits: { deadPeerMs: 400, idleMs: 800 } })
  const [silent, idle] = [await beam1Agent(closer, edge), await beam1Agent(closer, edge)]
  await silent.hello(acmeToken)
  await idle.hello(acmeToken)
  silent.onFrame = ({ type }) => type === pingFrame
  await Promise.all([silent.closed, idle.closed])
  assert.deepEqual(lastFrame(idle), [goAwayFrame, 0])
})

test('strangers that say nothing, or half a hello, are dropped in time and make room for others', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer, { beam1Limits: { arrivalsMax: 3, helloMs: 60_000 } })
  const strangers = [await beam1Agent(closer, edge), await beam1Agent(closer, edge), await beam1Agent(closer, edge)]
  strangers[1]?.openControl()
  strangers[2]?.openControl()
  strangers[2]?.data(controlStream, Buffer.from('{"type":"hello"'))
  const honest = await beam1Agent(closer, edge)
  await strangers[0]?.closed
  assert.equal((await honest.hello(acmeToken))?.type, 'hello_ok')
  const late = await beam1Edge(closer, { beam1Limits: { helloMs: 300 } })
  // On a busy machine it is dropped while it still shakes hands.
  const slow = await beam1Agent(closer, late).catch(() => null)
  slow?.openControl()
  await slow?.closed
})

test('a connection that ends in its handshake leaves nothing behind', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await beam1Edge(closer, { beam1Limits: { arrivalsMax: 1 } })
  const hello = clientHello({ serverNames: [certifiedHost], protocols: ['beam/1'] })
  for (let time = 0; time < 5; time++) {
    const socket = connect({ port: edge.httpPort, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(hello)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.resetAndDestroy()
    await closed
  }
  const agent = await beam1Agent(closer, edge)
  assert.equal((await agent.hello(acmeToken))?.type, 'hello_ok')
})
