import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import type { z } from 'zod'
import { ApiError } from '../../src/client/index.ts'
import type { ServerEvent } from '../../src/contract/api/servers.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

type Event = z.output<typeof ServerEvent>

let world: ServersWorld
let workspaceId: string
let outside: string
let ada: Person
let node: JoinedFake
before(async () => {
  world = await startServersWorld()
  workspaceId = await world.workspace('acme')
  outside = await world.workspace('outside')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
})
after(() => world[Symbol.asyncDispose]())

const running = async (name: string, on?: JoinedFake) => {
  const { id } = await ada.api.createServer({ body: { name, template: 'paper', ...(on ? { node: on.id } : {}) } })
  await until('running', async () => (await ada.api.server({ params: { serverId: keyOf(id) } })).status === 'running')
  return { id, key: keyOf(id) }
}

/** Reads a socket in the background; what came is kept, and why it ended. */
function listen(socket: AsyncIterable<Event> & { close(): void }) {
  const events: Event[] = []
  let ended = false
  const done = (async () => {
    try {
      for await (const event of socket) events.push(event)
    } catch {
      // Ended by the other side.
    }
    ended = true
  })()
  return {
    events,
    get ended() {
      return ended
    },
    lines: () => events.flatMap((event) => (event.type === 'console' ? event.lines.map(({ text }) => text) : [])),
    seqs: () => events.flatMap((event) => (event.type === 'console' ? event.lines.map(({ seq }) => seq) : [])),
    statuses: (id?: string) =>
      events.flatMap((event) => (event.type === 'status' && (!id || event.serverId === id) ? [event.status] : [])),
    async close() {
      socket.close()
      await done
    },
    done,
  }
}

const watch = async (who: Person, key: string, backlog = 100) => {
  const socket = await who.watch(key, backlog)
  return Object.assign(listen(socket), { socket })
}

describe('one server’s events', () => {
  test('begin with the status and the newest lines, and go on as things happen', async () => {
    const server = await running('Live')
    node.print(server.key, 'one', 'two', 'three')
    const live = await watch(ada, server.key, 2)
    await until('backlog', () => live.lines().length >= 2)
    assert.deepEqual(live.lines(), ['two', 'three'])
    assert.deepEqual(live.statuses(), ['running'])
    node.print(server.key, 'four')
    await until('line', () => live.lines().includes('four'))
    await ada.api.power({ params: { serverId: server.key }, body: { action: 'stop' } })
    await until('offline', () => live.statuses().includes('offline'))
    node.tell({
      type: 'usage',
      id: server.key,
      usage: { memoryBytes: 1, cpuCores: 1, diskBytes: 1, networkRxBytes: 0, networkTxBytes: 0, processes: 1 },
    })
    await until('usage', () => live.events.some((event) => event.type === 'usage'))
    await live.close()
  })
  test('take one stream from the node, however many watch', async () => {
    const server = await running('Popular')
    node.print(server.key, ...Array.from({ length: 50 }, (_, n) => `old ${n}`))
    const before = node.asked.length
    const viewers: Awaited<ReturnType<typeof watch>>[] = []
    for (let n = 0; n < 5; n += 1) viewers.push(await watch(ada, server.key, 10))
    await until('all have it', () => viewers.every((viewer) => viewer.lines().includes('old 49')))
    for (const viewer of viewers)
      assert.deepEqual(
        viewer.lines(),
        Array.from({ length: 10 }, (_, n) => `old ${40 + n}`),
      )
    assert.equal(node.asked.slice(before).filter((ask) => ask.startsWith('consoleLines')).length, 1)
    for (const viewer of viewers) await viewer.close()
    await until('nobody watches', () => world.viewers.size === 0)
  })
  test('show no line twice and none is missing while many come', async () => {
    const server = await running('Busy')
    const viewers: Awaited<ReturnType<typeof watch>>[] = []
    for (let n = 0; n < 200; n += 1) {
      node.print(server.key, `line ${n}`)
      if (n % 50 === 10) viewers.push(await watch(ada, server.key, 1000))
    }
    await until('all have the last', () => viewers.every((viewer) => viewer.lines().includes('line 199')))
    for (const viewer of viewers) {
      const seqs = viewer.seqs()
      assert.deepEqual(
        seqs,
        Array.from({ length: seqs.length }, (_, n) => (seqs[0] ?? 0) + n),
      )
      assert.equal(seqs[0], 0)
      await viewer.close()
    }
  })
  test('say unknown while the node is away, then go on where they were', async () => {
    const remote = await world.node(ada, { name: 'remote' })
    const server = await running('Far', remote)
    remote.print(server.key, 'before')
    const live = await watch(ada, server.key)
    await until('before', () => live.lines().includes('before'))
    await remote.leave()
    await until('unknown', () => live.statuses().at(-1) === 'unknown')
    remote.print(server.key, 'while away')
    await remote.connect()
    await until('running again', () => live.statuses().at(-1) === 'running')
    await until('caught up', () => live.lines().includes('while away'))
    remote.print(server.key, 'after')
    await until('after', () => live.lines().includes('after'))
    assert.deepEqual(live.lines(), ['ready', 'before', 'while away', 'after'])
    await live.close()
    await remote.leave()
  })
  test('carry commands, and refuse them with words', async () => {
    const server = await running('Typed')
    const live = await watch(ada, server.key)
    live.socket.send({ type: 'command', command: 'list' })
    await until('echo', () => live.lines().includes('> list'))
    live.socket.send({ type: 'command', command: 'say a\nstop' })
    const refusal = await until('refused', () => live.events.find((event) => event.type === 'refused'))
    assert.match(refusal.reason, /must be one line/)
    assert.ok(!live.lines().some((line) => line.includes('stop')))
    assert.equal(live.ended, false)
    await live.close()
  })
})

describe('what a viewer may', () => {
  test('without console.read: status, and no line', async () => {
    const server = await running('Secretive')
    const bob = await world.person('bob@example.com', { workspaceId: outside, role: 'member' })
    await world.share(server.key, bob.userId, ['control.start'])
    const live = await watch(bob, server.key)
    node.print(server.key, 'secret')
    node.enter(server.key, 'stopping')
    await until('status', () => live.statuses().includes('stopping'))
    assert.deepEqual(live.lines(), [])
    await live.close()
  })
  test('without console.write: read, and no command', async () => {
    const server = await running('Readonly')
    const bob = await world.person('reader@example.com', { workspaceId: outside, role: 'member' })
    await world.share(server.key, bob.userId, ['console.read'])
    const live = await watch(bob, server.key)
    live.socket.send({ type: 'command', command: 'op reader' })
    const refusal = await until('refused', () => live.events.find((event) => event.type === 'refused'))
    assert.match(refusal.reason, /console\.write/)
    assert.ok(!node.asked.includes(`command ${server.key}`))
    await live.close()
    const { entries } = await world.activity.page({ column: 'server_id', id: server.key }, {})
    assert.deepEqual(
      entries.map(({ operation, outcome, email, address }) => [operation, outcome, email, address]),
      [['consoleCommand', 'denied', 'reader@example.com', '127.0.0.1']],
    )
  })
  test('changes while it watches: lines stop and come back with the permission, none twice', async () => {
    const server = await running('Changing')
    const bob = await world.person('changing@example.com', { workspaceId: outside, role: 'member' })
    await world.share(server.key, bob.userId, ['console.read'])
    const live = await watch(bob, server.key)
    await until('first', () => live.lines().includes('ready'))
    const params = { serverId: server.key, subuser: bob.userId }
    await ada.api.updateSubuser({ params, body: { permissions: ['control.stop'] } })
    node.print(server.key, 'hidden')
    node.enter(server.key, 'running', 'marker')
    await until('later status', () =>
      live.events.some((event) => event.type === 'status' && event.message === 'marker'),
    )
    assert.deepEqual(live.lines(), ['ready'])
    await ada.api.updateSubuser({ params, body: { permissions: ['console.read'] } })
    await until('shown', () => live.lines().includes('hidden'))
    assert.deepEqual(live.lines(), ['ready', 'hidden'])
    await live.close()
  })
})

describe('a live connection ends at once', () => {
  const ends: Record<string, (bob: Person, key: string) => Promise<unknown>> = {
    'when its key is revoked': async (bob) => {
      await world.db.kysely.updateTable('tokens').set({ revoked_at: 1 }).where('id', '=', bob.tokenId).execute()
      await world.changes.publish({ of: 'token', id: bob.tokenId })
    },
    'when its key expires, which nobody announces': async (bob) => {
      const soon = Date.now() + 300
      await world.db.kysely.updateTable('tokens').set({ expires_at: soon }).where('id', '=', bob.tokenId).execute()
      await world.changes.publish({ of: 'token', id: bob.tokenId })
    },
    'when the subuser is removed': (bob, key) =>
      ada.api.deleteSubuser({ params: { serverId: key, subuser: bob.userId } }),
    'when the server is deleted': (_, key) => ada.api.deleteServer({ params: { serverId: key } }),
    'when the workspace is suspended': async (bob) => {
      await world.db.kysely.updateTable('workspaces').set({ suspended_at: 1 }).where('id', '=', workspaceId).execute()
      await world.changes.publish({ of: 'workspace', id: workspaceId })
      assert.ok(bob)
    },
  }
  for (const [when, act] of Object.entries(ends))
    test(when, async (t) => {
      const server = await running(when)
      t.after(async () => {
        await world.db.kysely
          .updateTable('workspaces')
          .set({ suspended_at: null })
          .where('id', '=', workspaceId)
          .execute()
        await world.changes.publish({ of: 'workspace', id: workspaceId })
      })
      const bob = await world.person(`${when.replaceAll(' ', '-')}@example.com`, {
        workspaceId: outside,
        role: 'member',
      })
      await world.share(server.key, bob.userId, ['console.read', 'console.write'])
      const live = await watch(bob, server.key)
      await until('live', () => live.lines().includes('ready'))
      await act(bob, server.key)
      await until('closed', () => live.ended)
      if (node.servers.has(server.key)) node.print(server.key, 'too late')
      assert.ok(!live.lines().includes('too late'))
    })
  test('and the one who deleted it is told so', async () => {
    const server = await running('Told')
    const live = await watch(ada, server.key)
    await until('live', () => live.statuses().length > 0)
    await ada.api.deleteServer({ params: { serverId: server.key } })
    await live.done
    assert.ok(live.events.some((event) => event.type === 'deleted'))
  })
})

describe('all servers’ events', () => {
  test('show every visible server, what comes and what goes, and nothing else', async () => {
    const first = await running('First')
    const bob = await world.person('overview@example.com', { workspaceId: outside, role: 'member' })
    await world.share(first.key, bob.userId, [])
    const live = listen(await bob.watchAll())
    await until('first', () => live.statuses(first.id).length > 0)
    const second = await running('Second')
    await ada.api.createSubuser({ params: { serverId: second.key }, body: { userEmail: bob.email, permissions: [] } })
    await until('second', () => live.events.some((event) => event.type === 'created' && event.serverId === second.id))
    node.enter(second.key, 'stopping')
    await until('its status', () => live.statuses(second.id).includes('stopping'))
    await ada.api.deleteSubuser({ params: { serverId: first.key, subuser: bob.userId } })
    await until('gone', () => live.events.some((event) => event.type === 'deleted' && event.serverId === first.id))
    node.enter(first.key, 'stopping')
    node.enter(second.key, 'offline')
    await until('later', () => live.statuses(second.id).includes('offline'))
    assert.ok(!live.statuses(first.id).includes('stopping'))
    assert.deepEqual(
      new Set(live.events.flatMap((event) => ('serverId' in event ? [event.serverId] : []))),
      new Set([first.id, second.id]),
    )
    assert.ok(!live.events.some((event) => event.type === 'console'))
    await live.close()
  })
  test('tell the maker of a server that it is there', async () => {
    const live = listen(await ada.watchAll())
    await until('began', () => live.events.length > 0)
    const made = await running('Made')
    await until('created', () => live.events.some((event) => event.type === 'created' && event.serverId === made.id))
    await ada.api.deleteServer({ params: { serverId: made.key } })
    await until('deleted', () => live.events.some((event) => event.type === 'deleted' && event.serverId === made.id))
    await live.close()
  })
})

test('a key without access gets no live connection, as if the server did not exist', async () => {
  const server = await running('Closed')
  const eve = await world.person('eve@example.com', { workspaceId: outside, role: 'owner' })
  await assert.rejects(eve.watch(server.key), (error) => error instanceof ApiError && error.code === 'not_found')
})

test('a viewer that does not read is let go of, and costs nobody else a line', async () => {
  const server = await running('Flood')
  const stuck = new WebSocket(`${world.baseUrl}/servers/${server.key}/events`.replace('http', 'ws'), {
    headers: { authorization: `Bearer ${ada.token}` },
  })
  await once(stuck, 'open')
  stuck.pause()
  const reader = await watch(ada, server.key, 0)
  await until('both watch', () => world.viewers.size === 2)
  const long = 'x'.repeat(16_000)
  let printed = 0
  while (world.viewers.size === 2) {
    assert.ok(printed < 10_000, 'it was never let go of')
    node.print(server.key, ...Array.from({ length: 25 }, (_, n) => `${printed + n} ${long}`))
    printed += 25
    await until('read', () => reader.lines().length >= printed)
  }
  assert.equal(world.viewers.size, 1)
  node.print(server.key, 'end')
  await until('end', () => reader.lines().includes('end'))
  stuck.terminate()
  await reader.close()
})
