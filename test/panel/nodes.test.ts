import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { dialLink, LinkError } from '../../src/link/index.ts'
import { refused } from '../refused.ts'
import { FakeNode } from '../world/fake-node.ts'
import { keyOf, type Person, type ServersWorld, startServersWorld, until } from '../world/servers-world.ts'

let world: ServersWorld
let ada: Person
let bob: Person
let aheadMs = 0
before(async () => {
  const clock: Clock = { now: () => Date.now() + aheadMs, sleep: systemClock.sleep }
  world = await startServersWorld('sqlite', clock)
  const workspaceId = await world.workspace('acme')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  bob = await world.person('bob@example.com', { workspaceId, role: 'owner' })
})
after(() => world[Symbol.asyncDispose]())

const unauthorized = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LinkError, String(error))
  assert.equal(error.code, 'unauthorized')
  assert.match(error.message, words)
  return true
}
const join = (secret: string) =>
  dialLink({
    dialler: world.dialler,
    hello: { role: 'join', version: 1, secret, software: 'fake' },
    events: { onStream: (stream) => stream.destroy() },
  })
const come = (credential: string) => new FakeNode({ dialler: world.dialler, credential })

describe('a join token', () => {
  test('carries where the panel is, and works once', async () => {
    const { joinToken, command, node } = await ada.api.createNode({ body: { name: 'joiner' } })
    assert.equal(command, `echo ${joinToken} | pharos node join`)
    const { panel, secret } = decodeJoinToken(joinToken)
    assert.equal(panel.host, '127.0.0.1')
    assert.ok(panel.pin.length > 20)
    const link = await join(secret)
    assert.equal(JoinWelcome.parse(link.greeting).nodeId, node.id)
    link.close('joined')
    await assert.rejects(join(secret), unauthorized(/has been used/))
  })
  test('shown by several machines at the same moment lets one in', async () => {
    const { joinToken } = await ada.api.createNode({ body: { name: 'raced' } })
    const { secret } = decodeJoinToken(joinToken)
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => join(secret)))
    const links = results.filter((result) => result.status === 'fulfilled')
    assert.equal(links.length, 1)
    for (const { value } of links) value.close('done')
  })
  test('expires after a day', async () => {
    const { joinToken } = await ada.api.createNode({ body: { name: 'forgotten' } })
    aheadMs = 24 * 60 * 60 * 1000
    try {
      await assert.rejects(join(decodeJoinToken(joinToken).secret), unauthorized(/expired/))
    } finally {
      aheadMs = 0
    }
  })
  test('that was never made is refused', async () => {
    await assert.rejects(join('phn_guess'), unauthorized(/./))
  })
  test('is not a credential, and a credential is not a join token', async () => {
    const { joinToken } = await ada.api.createNode({ body: { name: 'purposes' } })
    const { secret } = decodeJoinToken(joinToken)
    await assert.rejects(come(secret).connect(), unauthorized(/does not know the node/))
    const link = await join(secret)
    const { credential } = JoinWelcome.parse(link.greeting)
    link.close('joined')
    await assert.rejects(join(credential), unauthorized(/./))
  })
})

describe('a node', () => {
  test('shows what it is while it is here, and when it was last seen', async () => {
    const { id, credential } = await world.joined(ada, { name: 'shown', publicAddress: 'shown.test' })
    assert.equal((await ada.api.node({ params: { node: id } })).online, false)
    await using fake = come(credential)
    await fake.connect()
    const here = await ada.api.node({ params: { node: id } })
    assert.deepEqual([here.online, here.hostname, here.publicAddress], [true, 'fake-host', 'shown.test'])
    await fake.leave()
    const gone = await until('away', async () => {
      const node = await ada.api.node({ params: { node: id } })
      return node.online ? null : node
    })
    assert.equal(gone.hostname, 'fake-host')
    assert.ok(gone.lastSeen)
  })
  test('is told the edges, and again when they change', async () => {
    const { credential } = await world.joined(ada, { name: 'edgy' })
    await using fake = come(credential)
    await fake.connect()
    await until('told', () => fake.edges)
    assert.deepEqual(fake.edges, world.edges)
    world.edges.push({ id: 'edge_2', host: 'two.test', port: 4682, pin: 'pin2' })
    await world.changes.publish({ of: 'edge', id: 'edge_2' })
    await until('told again', () => Array.isArray(fake.edges) && fake.edges.length === 2)
    world.edges.pop()
  })
  test('that comes back takes the place of its older link, whose end is then late news', async () => {
    const { id, credential } = await world.joined(ada, { name: 'twice' })
    await using older = come(credential)
    await using newer = come(credential)
    const first = await older.connect()
    await newer.connect()
    assert.match((await first.closed).reason, /newer link/)
    await until('here', async () => (await ada.api.node({ params: { node: id } })).online)
    const server = await ada.api.createServer({ body: { name: 'On the newer', template: 'paper', node: id } })
    assert.ok(newer.servers.has(keyOf(server.id)))
    assert.ok(!older.servers.has(keyOf(server.id)))
  })
  test('with a wrong credential is refused', async () => {
    for (const credential of ['x', 'phnode_guess', "' or '1'='1"])
      await assert.rejects(come(credential).connect(), unauthorized(/does not know the node/))
  })
  test('that is removed loses its link at once and cannot come back', async () => {
    const { id, credential } = await world.joined(ada, { name: 'removed' })
    await using fake = come(credential)
    const link = await fake.connect()
    assert.deepEqual(await ada.api.deleteNode({ params: { node: id } }), { id, removed: true })
    assert.match((await link.closed).reason, /removed/)
    await assert.rejects(fake.connect(), unauthorized(/./))
    await assert.rejects(ada.api.node({ params: { node: id } }), refused('not_found', /./))
    await assert.rejects(ada.api.deleteNode({ params: { node: id } }), refused('not_found', /./))
  })
  test('with servers cannot be removed; one that died with deletions pending can', async () => {
    const { id, credential } = await world.joined(ada, { name: 'full' })
    await using fake = come(credential)
    await fake.connect()
    await until('here', async () => (await ada.api.node({ params: { node: id } })).online)
    const server = await ada.api.createServer({ body: { name: 'Stays', template: 'paper', node: id } })
    await assert.rejects(ada.api.deleteNode({ params: { node: id } }), refused('conflict', /still has a server/))
    await fake.leave()
    await until('away', async () => !(await ada.api.node({ params: { node: id } })).online)
    await ada.api.deleteServer({ params: { serverId: keyOf(server.id) } })
    await ada.api.deleteNode({ params: { node: id } })
    const left = await world.db.kysely.selectFrom('servers').select('id').where('node_id', '=', id).execute()
    assert.deepEqual(left, [])
  })
  test('opens no streams to the panel', async () => {
    const { credential } = await world.joined(ada, { name: 'curious' })
    await using fake = come(credential)
    const link = await fake.connect()
    const stream = link.open({ protocol: 'http' })
    const error = await new Promise((resolve) => stream.once('error', resolve))
    assert.ok(error instanceof LinkError && error.code === 'refused')
  })
})

describe('placing servers', () => {
  const create = (name: string, more: object = {}) =>
    ada.api.createServer({ body: { name, template: 'paper', start: false, ...more } })
  test('asks for labels, obeys maintenance, and counts what the node says may be promised', async () => {
    const node = await world.node(ada, { name: 'labelled', publicAddress: 'labelled.test', memoryMib: 8192 })
    const params = { node: node.id }
    const eu = { placement: { labels: { region: 'eu' } } }
    await assert.rejects(create('nowhere', eu), refused('conflict', /labelled: not labelled region=eu/))
    const seen = await ada.api.updateNode({ params, body: { labels: { region: 'eu' } } })
    assert.deepEqual([seen.labels, seen.maintenance, seen.capacity?.memory], [{ region: 'eu' }, false, 8192])
    const made = await create('euro', eu)
    assert.equal(made.node.name, 'labelled')
    assert.equal((await ada.api.node({ params })).allocated.memory, 1024)

    await ada.api.updateNode({ params, body: { maintenance: true } })
    await assert.rejects(create('late', eu), refused('conflict', /labelled: in maintenance/))
    await assert.rejects(create('late', { node: node.id }), refused('conflict', /labelled: in maintenance/))
    const held = await ada.api.server({ params: { serverId: keyOf(made.id) } })
    assert.equal(held.node.maintenance, true)
    await ada.api.power({ params: { serverId: keyOf(made.id) }, body: { action: 'start' } })

    await ada.api.updateNode({ params, body: { maintenance: false, overAllocation: { memory: 0.2, cpu: 1 } } })
    await assert.rejects(create('much', eu), refused('conflict', /labelled: 614 MiB of memory left/))
    const wide = await ada.api.updateNode({ params, body: { overAllocation: { memory: null } } })
    assert.deepEqual(wide.overAllocation, { memory: null, disk: null, cpu: 1 })
    const cores = { resources: { memory: 1_000_000, cpu: 3.5 } }
    await assert.rejects(create('cores', { ...eu, ...cores }), refused('conflict', /labelled: 3 cores left/))
    const any = await create('any', { ...eu, resources: { memory: 1_000_000, cpu: 3 } })
    assert.equal(any.node.name, 'labelled')
  })
  test('refuses labels that are none, and a change of nothing', async () => {
    const { id: node } = await world.joined(ada, { name: 'unchanged' })
    const change = (body: object) => ada.api.updateNode({ params: { node }, body })
    await assert.rejects(change({}), refused('invalid_request', /name something/))
    await assert.rejects(change({ labels: { 'a b': 'c' } }), refused('invalid_request', /labels/))
    await assert.rejects(change({ overAllocation: { memory: 0 } }), refused('invalid_request', /memory/))
    await assert.rejects(
      ada.api.updateNode({ params: { node: 'node_none' }, body: { maintenance: true } }),
      refused('not_found', /./),
    )
  })
})

describe('who administers nodes', () => {
  test('is an administrator of the installation, nobody else', async () => {
    const params = { node: 'node_x' }
    for (const act of [
      () => bob.api.nodes(),
      () => bob.api.node({ params }),
      () => bob.api.createNode({ body: { name: 'bob’s' } }),
      () => bob.api.deleteNode({ params }),
      () => bob.api.updateNode({ params, body: { maintenance: true } }),
    ])
      await assert.rejects(act, refused('forbidden', /./))
  })
  test('cannot use a name twice, or ports the wrong way round', async () => {
    await ada.api.createNode({ body: { name: 'unique' } })
    await assert.rejects(ada.api.createNode({ body: { name: 'unique' } }), refused('conflict', /already a node unique/))
    await assert.rejects(
      ada.api.createNode({ body: { name: 'backwards', ports: { first: 5, last: 4 } } }),
      refused('invalid_request', /first must not be above last/),
    )
  })
})

test('the panel’s own machine is one node, whose earlier credential stops working', async () => {
  const [first, second] = [await world.nodes.localNode('here'), await world.nodes.localNode('here')]
  assert.equal(first.nodeId, second.nodeId)
  await assert.rejects(come(first.credential.reveal()).connect(), unauthorized(/./))
  await using fake = come(second.credential.reveal())
  await fake.connect()
  assert.equal((await ada.api.node({ params: { node: first.nodeId } })).online, true)
})
