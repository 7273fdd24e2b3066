import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { ServerState } from '../../src/contract/node.ts'
import { commonProtocol, nodeProtocols, specOfVersion1, stateFor } from '../../src/contract/node-protocol.ts'
import { linkAgent } from '../../src/http/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { acceptLinks, dialLink, type Link, LinkError, listenShared, loadIdentity } from '../../src/link/index.ts'
import { startNode } from '../../src/node/index.ts'
import { makeSpec } from '../../src/node/testing/world.ts'
import { keyOf, type Person, type ServersWorld, startServersWorld, until } from '../world/servers-world.ts'

/** What version 1 had on the wire, in whole: each side of that version refuses any other field. */
const wire = {
  hello: ['credential', 'role', 'software', 'version'],
  facts: ['capabilities', 'cpuCores', 'diskBytes', 'diskFreeBytes', 'hostname', 'memoryBytes', 'platform', 'version'],
  capabilities: ['cpuLimit', 'isolation', 'memoryLimit', 'ownUser', 'processLimit', 'runtime', 'warnings'],
  state: ['id', 'lastExit', 'message', 'phase', 'revision', 'since', 'usage'],
  spec: ['allocations', 'id', 'name', 'resources', 'restartOnCrash', 'revision', 'suspended', 'template', 'variables'],
  template: [
    ...['category', 'entrance', 'files', 'id', 'install', 'name', 'protocols', 'proxyProtocol', 'resources', 'start'],
    ...['stop', 'stopTimeoutSeconds', 'summary', 'variables'],
  ],
}
const strange = (value: object, known: readonly string[]): string[] =>
  Object.keys(value).filter((key) => !known.includes(key))

const facts = {
  ...{ version: '0.0.1', hostname: 'old-host', platform: 'linux', cpuCores: 4, memoryBytes: 8e9, diskBytes: 1e12 },
  diskFreeBytes: 5e11,
  capabilities: {
    ...{ runtime: 'process', isolation: false, ownUser: false, memoryLimit: false, cpuLimit: false },
    ...{ processLimit: false, warnings: [] },
  },
}

let world: ServersWorld
let ada: Person
before(async () => {
  world = await startServersWorld()
  ada = await world.person(
    'ada@example.com',
    { workspaceId: await world.workspace('acme'), role: 'owner' },
    {
      instanceAdmin: true,
    },
  )
})
after(() => world?.[Symbol.asyncDispose]())

describe('a node of version 1', () => {
  test('gets servers in words that it knows, and is asked for nothing newer', async () => {
    const { id, credential } = await world.joined(ada, { name: 'old', publicAddress: 'old.test' })
    const specs: Record<string, object>[] = []
    // By hand, as it was on the wire.
    const http = createServer(async (asked: IncomingMessage, reply) => {
      const answer = (body: object): void =>
        void reply.setHeader('content-type', 'application/json').end(JSON.stringify(body))
      if (asked.method === 'PUT' && asked.url?.startsWith('/servers/')) {
        const spec = (await json(asked)) as Record<string, object>
        specs.push(spec)
        const since = Date.now()
        return answer({
          ...{ id: spec.id, revision: spec.revision, phase: 'installing', since, message: null },
          ...{ lastExit: null, usage: null },
        })
      }
      asked.resume()
      if (asked.url === '/facts') return answer(facts)
      if (asked.url === '/servers') return answer([])
      if (asked.url === '/edges') return answer({})
      reply.statusCode = 404
      answer({ error: { code: 'not_found', message: 'Not found' } })
    })
    const link = await dialLink({
      dialler: world.dialler,
      hello: { role: 'node', version: 1, credential, software: 'pharos' },
      events: { onStream: (stream) => void http.emit('connection', stream) },
    })
    try {
      assert.deepEqual(link.greeting, { nodeId: id, name: 'old' })
      await until('here', async () => (await ada.api.node({ params: { node: id } })).online)
      const placement = { labels: { region: 'eu' } }
      await ada.api.updateNode({ params: { node: id }, body: placement })
      const made = await ada.api.createServer({ body: { name: 'Elder', template: 'paper', node: id, placement } })
      assert.equal(made.status, 'installing')
      const [spec] = specs
      assert.ok(spec)
      assert.deepEqual(strange(spec, wire.spec), [])
      assert.deepEqual(strange(spec.template ?? {}, wire.template), [])
      assert.equal(spec.id, keyOf(made.id))
      assert.throws(
        () => world.nodes.online(id)?.mustKnow('transfers'),
        /Node old is too old for moving servers to other nodes: update it/,
      )
    } finally {
      link.close('the test is over')
      await link.closed
    }
  })

  test('cannot have a server of a kind that needs more', async () => {
    const spec = await makeSpec()
    const { start, ...template } = spec.template
    const { command: _, ...rest } = start
    const egg = { ...spec, template: { ...template, start: { ...rest, lines: [{ name: 'x', line: 'x' }] } } }
    assert.equal(specOfVersion1(egg), null)
  })
})

describe('versions of the protocol', () => {
  const own = { oldest: 2, newest: 4 }
  const cases: [offered: { oldest: number; newest: number } | undefined, expected: number | RegExp][] = [
    [{ oldest: 1, newest: 3 }, 3],
    [{ oldest: 3, newest: 9 }, 4],
    [{ oldest: 4, newest: 4 }, 4],
    [{ oldest: 1, newest: 1 }, /too old .* update the node/],
    [undefined, /too old .* update the node/],
    [{ oldest: 5, newest: 6 }, /too new .* update the panel/],
  ]
  for (const [offered, expected] of cases)
    test(`${JSON.stringify(offered) ?? 'none'} beside 2 to 4 is ${expected}`, () => {
      const found = commonProtocol(offered, own)
      if (typeof expected === 'number') assert.equal(found, expected)
      else assert.match(typeof found === 'object' ? found.refused : '', expected)
    })

  test('a node of another time is refused in words that say what to update', async () => {
    const { credential } = await world.joined(ada, { name: 'future' })
    const come = (protocol: object) =>
      dialLink({
        dialler: world.dialler,
        hello: { role: 'node', version: 1, credential, software: 'pharos', protocol },
        events: { onStream: (stream) => stream.destroy() },
      })
    await assert.rejects(come({ oldest: 900, newest: 901 }), (error: unknown) => {
      assert.ok(error instanceof LinkError)
      assert.equal(error.code, 'refused')
      assert.match(error.message, /update the panel/)
      return true
    })
    const link = await come(nodeProtocols)
    assert.equal((link.greeting as { protocol?: number }).protocol, nodeProtocols.newest)
    link.close('done')
    await link.closed
  })
})

test('a panel of version 1 has a node of today: it hears only what it knows, and runs a server', async () => {
  await using closer = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'pharos-versions-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  const identity = await loadIdentity(join(folder, 'link'))
  const linked = Promise.withResolvers<Link>()
  const hellos: object[] = []
  const acceptor = closer.use(
    acceptLinks({
      log: silentLog,
      async greet(hello) {
        const said = hello as object
        hellos.push(said)
        if (strange(said, wire.hello).length > 0)
          throw new LinkError('refused', 'A panel accepts the hello of an edge, a node, or a join')
        return {
          welcome: { nodeId: 'node_1', name: 'new' },
          events: { onStream: (stream) => stream.destroy() },
          opened: (link) => linked.resolve(link),
        }
      },
    }),
  )
  const { port } = closer.use(
    await listenShared({
      ...{ host: '127.0.0.1', port: 0, identity, acceptor, log: silentLog },
      onPlain: (socket) => void socket.destroy(),
    }),
  )
  const panels = [{ host: '127.0.0.1', port, pin: identity.pin }]
  closer.use(await startNode({ dataDir: join(folder, 'node'), panels, credential: 'phnode_x' }, { log: silentLog }))
  const link = await linked.promise
  assert.deepEqual(hellos.map((said) => 'protocol' in said).slice(0, 2), [true, false])

  const ask = async (method: string, path: string, body?: unknown): Promise<object> => {
    const sent = request({
      agent: linkAgent(() => link),
      method,
      path,
      headers: { host: 'link', 'content-type': 'application/json' },
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [reply] = (await once(sent, 'response')) as [IncomingMessage]
    const said = await text(reply)
    assert.equal(reply.statusCode, 200, said)
    return JSON.parse(said)
  }
  const seen = (await ask('GET', '/facts')) as typeof facts
  assert.deepEqual(strange(seen, wire.facts), [])
  assert.deepEqual(strange(seen.capabilities, wire.capabilities), [])
  const spec = specOfVersion1(await makeSpec()) as { id: string }
  closer.defer(() => ask('DELETE', `/servers/${spec.id}`).then(() => undefined))
  // Of a panel that is newer than this node, too: what it does not know it leaves out.
  assert.deepEqual(
    strange(await ask('PUT', `/servers/${spec.id}`, { ...spec, fromTheFuture: { deep: 1 } }), wire.state),
    [],
  )
  const phase = async () => ((await ask('GET', `/servers/${spec.id}`)) as { phase: string }).phase
  await until('installed', async () => (await phase()) === 'offline')
  await ask('POST', `/servers/${spec.id}/power`, { action: 'start' })
  await until('running', async () => (await phase()) === 'running')
})

test('a panel that knows nothing of sleep hears that a sleeping server is offline', () => {
  const state: ServerState = {
    ...{ id: '1a7ce997', revision: 1, since: 1, message: 'Sleeping: x', lastExit: null, usage: null },
    phase: 'sleeping',
    naps: [{ id: '00000001', kind: 'slept', at: 1, why: 'Nobody', address: null }],
  }
  for (const protocol of [1, 2, 3]) {
    const told = stateFor(protocol, state)
    assert.equal(told.phase, 'offline')
    assert.deepEqual(strange(told, wire.state), [])
  }
  assert.equal(stateFor(4, state).phase, 'sleeping')
})
