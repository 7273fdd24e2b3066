import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { EdgeMessage, TunnelRequest } from '../contract/tunnel.ts'
import { silentLog } from '../lib/log.ts'
import { Secret } from '../lib/secret.ts'
import { acceptLinks, type Dialler, type Link, LinkError, memoryPair } from '../link/index.ts'
import { type AgentEvent, type AgentOptions, startAgent } from './agent.ts'

/** An edge by hand: accepts the agent's links from memory, and answers what a test tells it to. */
function handEdge(
  closer: AsyncDisposableStack,
  answer: (request: { ref: string; tunnel: TunnelRequest }, link: Link) => EdgeMessage | undefined,
) {
  const hellos: unknown[] = []
  const messages: unknown[] = []
  const acceptor = acceptLinks({
    log: silentLog,
    greet: async (hello) => {
      hellos.push(hello)
      return {
        welcome: { edge: 'test', slug: 'acme' },
        events: {
          onStream: (stream) => stream.destroy(),
          onMessage: (message, link) => {
            messages.push(message)
            const asked = message as { type: string; ref: string; tunnel: TunnelRequest }
            if (asked.type !== 'open') return
            const reply = answer(asked, link)
            if (reply) link.send(reply)
          },
        },
      }
    },
  })
  closer.use(acceptor)
  const dial = (): Dialler => async () => {
    const [ours, theirs] = memoryPair()
    acceptor.accept(theirs)
    return ours
  }
  const link = (): Link => [...acceptor.links][0] ?? assert.fail('no link')
  return { dial, hellos, messages, acceptor, link }
}

const opened = ({ ref, tunnel }: { ref: string; tunnel: TunnelRequest }): EdgeMessage => ({
  type: 'opened',
  ref,
  tunnelId: tunnel.kind === 'allocation' ? tunnel.allocation : tunnel.name,
  url: 'http://x',
})

/** @param patient it waits as long as it does in the product */
function agentWith(
  closer: AsyncDisposableStack,
  options: Pick<AgentOptions, 'dial'> & Partial<AgentOptions>,
  patient = false,
) {
  const events: AgentEvent[] = []
  const waiting = new Set<() => void>()
  const agent = startAgent({
    edges: [{ host: 'edge', port: 1, pin: 'p' }],
    credential: () => new Secret('the-credential'),
    log: silentLog,
    ...(patient ? {} : { retry: { firstMs: 1, mostMs: 5 } }),
    onEvent: (event) => {
      events.push(event)
      for (const check of [...waiting]) check()
    },
    ...options,
  })
  closer.use(agent)
  /** Resolves to the `count`-th event of a type. */
  const event = <T extends AgentEvent['type']>(type: T, count = 1): Promise<Extract<AgentEvent, { type: T }>> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = events.filter((one): one is Extract<AgentEvent, { type: T }> => one.type === type)[count - 1]
        if (!found) return
        waiting.delete(check)
        resolve(found)
      }
      waiting.add(check)
      check()
    })
  return { agent, event, events }
}

async function service(closer: AsyncDisposableStack, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const web = (port: number, id = 'w', name = 'web') => ({
  id,
  request: { kind: 'http', name } as const,
  target: { host: '127.0.0.1', port },
})
const visitorOf = (tunnelId: string) => ({
  tunnelId,
  protocol: 'http',
  address: '10.0.0.1',
  port: 5,
  localAddress: '10.0.0.2',
  localPort: 30_000,
  offset: 0,
})

test('says hello, opens its tunnels and forwards both ways with half-close', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const port = await service(closer, (socket) => {
    let heard = ''
    socket.on('data', (part) => {
      heard += part
    })
    socket.on('end', () => socket.end(`heard ${heard}`))
  })
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(port)] })
  assert.equal((await event('up')).slug, 'acme')
  assert.deepEqual(await event('opened').then(({ id, tunnelId, url }) => ({ id, tunnelId, url })), {
    id: 'w',
    tunnelId: 'web',
    url: 'http://x',
  })
  assert.deepEqual(edge.hellos, [{ role: 'agent', version: 1, credential: 'the-credential', software: 'pharos' }])
  const stream = edge.link().open(visitorOf('web'))
  stream.end('hello')
  let answer = ''
  for await (const part of stream) answer += part
  assert.equal(answer, 'heard hello')
})

test('never dials an address that the edge names, only what was declared here', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  let touched = 0
  const secret = await service(closer, () => touched++)
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(1)] })
  await event('opened')
  for (const head of [
    { ...visitorOf('web'), host: '127.0.0.1', targetPort: secret },
    visitorOf(`127.0.0.1:${secret}`),
    visitorOf('other'),
    { tunnelId: 'web' },
    { protocol: 'http' },
    null,
    'web',
  ]) {
    const stream = edge.link().open(head)
    stream.on('error', () => undefined)
    const [error] = await once(stream, 'error').catch((found: unknown) => [found])
    assert.ok(error instanceof LinkError && error.code === 'refused', JSON.stringify(head))
  }
  assert.equal(touched, 0)
})

test('a service that is not there resets the stream as unreachable', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(1)] })
  await event('opened')
  const stream = edge.link().open(visitorOf('web'))
  stream.write('x')
  const [error] = await once(stream, 'error').catch((found: unknown) => [found])
  assert.ok(error instanceof LinkError && error.code === 'unreachable', String(error))
})

test('a visitor that goes away takes the local connection along, and a service that breaks resets the visitor', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const sockets: Socket[] = []
  const port = await service(closer, (socket) => {
    sockets.push(socket)
    socket.write('hi')
  })
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(port)] })
  await event('opened')
  const first = edge.link().open(visitorOf('web'))
  await once(first, 'data')
  first.destroy()
  const local = sockets[0] ?? assert.fail('no connection')
  if (!local.closed) {
    local.resume()
    local.on('end', () => local.end())
    await once(local, 'close')
  }
  const second = edge.link().open(visitorOf('web'))
  await once(second, 'data')
  sockets[1]?.resetAndDestroy()
  const [error] = await once(second, 'error').catch((found: unknown) => [found])
  assert.ok(error instanceof LinkError && error.code === 'closed', String(error))
})

test('opens everything again after the link was lost', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const { event, agent } = agentWith(closer, { dial: edge.dial, tunnels: [web(1)] })
  agent.add(web(1, 'second', 'two'))
  await event('opened', 2)
  edge.link().close('restart')
  assert.equal((await event('down')).reason, 'restart')
  await event('opened', 4)
})

test('tries again what was taken or unavailable; takes invalid and forbidden for final', async () => {
  await using closer = new AsyncDisposableStack()
  const tries = new Map<string, number>()
  const edge = handEdge(closer, (asked) => {
    const name = asked.tunnel.kind === 'allocation' ? '' : asked.tunnel.name
    const count = (tries.get(name) ?? 0) + 1
    tries.set(name, count)
    if (name === 'invalid' || name === 'forbidden')
      return { type: 'refused', ref: asked.ref, code: name, message: 'no' }
    if (count < 3)
      return { type: 'refused', ref: asked.ref, code: name === 'taken' ? 'taken' : 'unavailable', message: 'later' }
    return opened(asked)
  })
  const { event, events } = agentWith(closer, {
    dial: edge.dial,
    tunnels: ['taken', 'away', 'invalid', 'forbidden'].map((name) => web(1, name, name)),
  })
  await event('opened', 2)
  assert.deepEqual(Object.fromEntries(tries), { taken: 3, away: 3, invalid: 1, forbidden: 1 })
  const refused = events.filter((one) => one.type === 'refused')
  assert.deepEqual(
    refused
      .filter(({ retryMs }) => retryMs === null)
      .map(({ id }) => id)
      .sort(),
    ['forbidden', 'invalid'],
  )
})

test('a tunnel that is removed while the edge is thinking is closed when it opens', async () => {
  await using closer = new AsyncDisposableStack()
  let late: (() => void) | undefined
  const edge = handEdge(closer, (asked, link) => {
    late = () => link.send(opened(asked))
    return undefined
  })
  const { agent, event, events } = agentWith(closer, { dial: edge.dial, tunnels: [web(1)] })
  await event('up')
  while (!late) await setImmediate()
  agent.remove('w')
  agent.remove('w')
  late()
  while (edge.messages.length < 2) await setImmediate()
  assert.deepEqual(edge.messages[1], { type: 'close', tunnelId: 'web' })
  assert.equal(
    events.some(({ type }) => type === 'opened'),
    false,
  )
})

test('a tunnel that another agent took over is not fought for', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(1)] })
  await event('opened')
  edge.link().send({ type: 'closed', tunnelId: 'web', reason: 'another agent has opened this tunnel' })
  assert.equal((await event('closed')).reason, 'another agent has opened this tunnel')
  const stream = edge.link().open(visitorOf('web'))
  const [error] = await once(stream, 'error').catch((found: unknown) => [found])
  assert.ok(error instanceof LinkError && error.code === 'refused')
  assert.equal(edge.messages.length, 1)
})

test('links to the edges it is told, and leaves those that stay alone', async () => {
  await using closer = new AsyncDisposableStack()
  const edges = [handEdge(closer, opened), handEdge(closer, opened), handEdge(closer, opened)]
  const endpoint = (index: number) => ({ host: `edge${index}`, port: 1, pin: 'p' })
  const { agent, event } = agentWith(closer, {
    edges: [endpoint(0), endpoint(1)],
    dial: ({ host }) => edges[Number(host.slice(4))]?.dial() ?? assert.fail(host),
    tunnels: [web(1)],
  })
  await event('opened', 2)
  const kept = edges[1]?.link()
  const left = edges[0]?.link()
  await agent.setEdges([endpoint(1), endpoint(2)])
  await left?.closed
  await event('opened', 3)
  assert.equal(edges[1]?.link(), kept)
  await agent[Symbol.asyncDispose]()
  await kept?.closed
})

test('nonsense from the edge is ignored', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = handEdge(closer, opened)
  const port = await service(closer, (socket) => socket.end('fine'))
  const { event } = agentWith(closer, { dial: edge.dial, tunnels: [web(port)] })
  await event('opened')
  for (const nonsense of [
    null,
    7,
    { type: 'opened' },
    { type: 'opened', ref: 'nobody', tunnelId: 'x', url: 'y' },
    { type: 'closed', tunnelId: 'never', reason: 'z' },
    { type: 'dial', host: 'x' },
  ])
    edge.link().send(nonsense)
  const stream = edge.link().open(visitorOf('web'))
  const [part] = await once(stream, 'data')
  assert.equal(String(part), 'fine')
  stream.destroy()
})

test('what is refused or closed for now is asked for again within five seconds, however often that was in vain', async () => {
  await using closer = new AsyncDisposableStack()
  let refusals = 0
  const { dial, link } = handEdge(closer, (asked) =>
    refusals++ < 1 ? { type: 'refused', ref: asked.ref, code: 'later', message: 'suspended' } : opened(asked),
  )
  const { agent, event } = agentWith(closer, { dial, tunnels: [web(1)] })
  assert.deepEqual(await event('refused').then(({ code, message }) => [code, message]), ['later', 'suspended'])
  await event('opened')
  link().send({ type: 'closed', tunnelId: 'web', reason: 'suspended again', again: true })
  const again = await event('refused', 2)
  assert.deepEqual([again.code, again.message], ['later', 'suspended again'])
  await event('opened', 2)
  await agent[Symbol.asyncDispose]()

  const never = handEdge(closer, ({ ref }) => ({ type: 'refused', ref, code: 'later', message: 'suspended' }))
  const waits = agentWith(closer, { dial: never.dial, tunnels: [web(1)] }, true)
  const { retryMs } = await waits.event('refused')
  assert.ok(retryMs !== null && retryMs >= 3_000 && retryMs <= 5_000, `${retryMs} ms`)
})

test('a link that is refused for now is dialled again within five seconds; a bad credential waits longer', async () => {
  await using closer = new AsyncDisposableStack()
  const waitAfter = async (code: 'later' | 'unauthorized'): Promise<number> => {
    const acceptor = closer.use(
      acceptLinks({
        log: silentLog,
        greet: async () => {
          throw new LinkError(code, 'not now')
        },
      }),
    )
    const dial = (): Dialler => async () => {
      const [ours, theirs] = memoryPair()
      acceptor.accept(theirs)
      return ours
    }
    const { event } = agentWith(closer, { dial })
    const down = await event('down')
    assert.equal(down.code, code)
    return down.retryMs
  }
  const later = await waitAfter('later')
  assert.ok(later >= 3_000 && later <= 5_000, `${later} ms`)
  assert.ok((await waitAfter('unauthorized')) > 10_000)
})
