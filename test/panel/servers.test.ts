import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { conflict } from '../../src/contract/errors.ts'
import { serverPermissions } from '../../src/contract/permissions.ts'
import { refused } from '../refused.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

let world: ServersWorld
let workspaceId: string
let ada: Person
let node: JoinedFake
before(async () => {
  world = await startServersWorld()
  workspaceId = await world.workspace('acme')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
})
after(() => world[Symbol.asyncDispose]())

const status = async (id: string, who = ada) => (await who.api.server({ params: { serverId: keyOf(id) } })).status
const create = async (name: string, more: { start?: boolean; node?: string } = {}) => {
  const server = await ada.api.createServer({ body: { name, template: 'paper', ...more } })
  await until('installed', async () => (await status(server.id)) !== 'installing')
  return { ...server, key: keyOf(server.id) }
}
const offline = async (name: string) => create(name, { start: false })
const running = async (name: string) => {
  const server = await create(name)
  await until('running', async () => (await status(server.id)) === 'running')
  return server
}

describe('creating a server', () => {
  test('installs it on a node, starts it, and shows what players connect to', async () => {
    const server = await ada.api.createServer({ body: { name: 'Lobby', template: 'paper', variables: { MOTD: 'hi' } } })
    assert.match(server.id, /^servers\/[0-9a-f]{8}$/)
    await until('running', async () => (await status(server.id)) === 'running')
    const seen = await ada.api.server({ params: { serverId: keyOf(server.id) } })
    assert.deepEqual(seen.resources, { memory: 1024, disk: 2048, cpu: 1 })
    assert.deepEqual(seen.variables, { MOTD: 'hi', SLOTS: '20', MODE: 'easy' })
    assert.equal(seen.owner, 'ada@example.com')
    assert.equal(seen.node.name, 'one')
    assert.match(seen.address ?? '', /^play\.example\.org:255\d\d$/)
    const spec = node.servers.get(keyOf(server.id))?.spec
    assert.equal(spec?.variables.MOTD, 'hi')
    assert.equal(spec?.allocations[0]?.tunnel, false)
  })
  test('does not start it where nobody asked for that', async () => {
    const server = await offline('Quiet')
    assert.equal(await status(server.id), 'offline')
    assert.ok(!node.asked.includes(`power start ${server.key}`))
  })
  test('says why where the node refuses to start it after its installation', async () => {
    node.meddle = (operation) => {
      if (operation === 'power') throw conflict('TCP port 25565 is used by another program.')
    }
    const server = await create('Blocked')
    const blocked = await until('told', async () => {
      const seen = await ada.api.server({ params: { serverId: server.key } })
      return seen.message === null ? null : seen
    })
    node.meddle = () => undefined
    assert.deepEqual([blocked.status, blocked.message], ['offline', 'TCP port 25565 is used by another program.'])
  })
  test('gives it a port of an edge where the node has no public address', async () => {
    const behind = await world.node(ada, { name: 'behind' })
    const server = await create('Tunnelled', { node: behind.id })
    const { allocations } = await ada.api.allocations({ params: { serverId: server.key } })
    assert.deepEqual(
      allocations.map(({ ip, port, local, primary }) => ({
        ip,
        inRange: port >= 31_000 && port <= 31_099,
        local,
        primary,
      })),
      [{ ip: 'edge.test', inRange: true, local: 25_565, primary: true }],
    )
    assert.equal(behind.servers.get(server.key)?.spec.allocations[0]?.tunnel, true)
    assert.equal(server.address, `edge.test:${allocations[0]?.port}`)
    await behind.leave()
  })
  test('refuses an unknown template', async () => {
    await assert.rejects(
      ada.api.createServer({ body: { name: 'X', template: 'nope' } }),
      refused('invalid_request', /no template "nope"/),
    )
  })
  test('names every variable that is wrong, and nothing is made', async () => {
    const before = (await ada.api.servers()).length
    const wrong = { MOTD: 'x\nop=true', SLOTS: '1e2', MODE: 'HARD', NOPE: '1', SERVER_PORT: '22' }
    await assert.rejects(
      ada.api.createServer({ body: { name: 'X', template: 'paper', variables: wrong } }),
      refused('invalid_request', /MOTD.*SLOTS.*MODE/s),
    )
    const told = await ada.api
      .createServer({ body: { name: 'X', template: 'paper', variables: wrong } })
      .catch((e) => e)
    for (const name of Object.keys(wrong)) assert.match(told.message, new RegExp(name))
    assert.equal((await ada.api.servers()).length, before)
  })
  test('refuses more memory than any node has left', async () => {
    await assert.rejects(
      ada.api.createServer({ body: { name: 'Huge', template: 'paper', resources: { memory: 1_000_000 } } }),
      refused('conflict', /No node has room for this server \(1000000 MiB of memory.*one: \d+ MiB of memory left/),
    )
  })
  test('refuses a node that is away or unknown, and leaves nothing behind', async () => {
    const away = await world.joined(ada, { name: 'never-here' })
    const before = await ada.api.servers()
    await assert.rejects(
      ada.api.createServer({ body: { name: 'X', template: 'paper', node: away.id } }),
      refused('conflict', /Node never-here is away/),
    )
    await assert.rejects(
      ada.api.createServer({ body: { name: 'X', template: 'paper', node: 'node_nope' } }),
      refused('invalid_request', /no node "node_nope"/),
    )
    assert.deepEqual(await ada.api.servers(), before)
  })
  test('gives two at once different ports, and says so when none is left', async () => {
    const small = await world.node(ada, {
      name: 'small',
      publicAddress: 'small.test',
      ports: { first: 4000, last: 4001 },
    })
    const body = { name: 'Race', template: 'paper', node: small.id }
    const results = await Promise.allSettled([1, 2, 3].map(() => ada.api.createServer({ body })))
    const made = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.address)
    assert.deepEqual(made.sort(), ['small.test:4000', 'small.test:4001'])
    const lost = results.find((result) => result.status === 'rejected')
    refused('conflict', /No port is free on small \(4000 to 4001\)/)(lost?.reason)
    await small.leave()
  })
  test('leaves nothing behind where the node goes away in the middle', async () => {
    const fickle = await world.node(ada, {
      name: 'fickle',
      publicAddress: 'fickle.test',
      ports: { first: 4100, last: 4100 },
    })
    fickle.meddle = (operation) => {
      if (operation === 'putServer') void fickle.leave()
      return operation === 'putServer' ? new Promise(() => undefined) : undefined
    }
    const before = await ada.api.servers()
    await assert.rejects(
      ada.api.createServer({ body: { name: 'Lost', template: 'paper', node: fickle.id } }),
      refused('conflict', /Node fickle does not answer/),
    )
    assert.deepEqual(await ada.api.servers(), before)
    fickle.meddle = () => undefined
    await fickle.connect()
    await until('the port is free again', async () => {
      const left = await world.db.kysely
        .selectFrom('allocations')
        .where('node_id', '=', fickle.id)
        .select('id')
        .execute()
      return left.length === 0
    })
    await fickle.leave()
  })
  test('a member owns what they make; another member does not see it', async () => {
    const bob = await world.person('bob@example.com', { workspaceId, role: 'member' })
    const eve = await world.person('eve@example.com', { workspaceId, role: 'member' })
    const server = await bob.api.createServer({ body: { name: 'Bob’s', template: 'paper' } })
    assert.equal(server.owner, 'bob@example.com')
    assert.deepEqual(
      (await bob.api.servers()).map(({ id }) => id),
      [server.id],
    )
    assert.deepEqual(await eve.api.servers(), [])
    assert.ok((await ada.api.servers()).some(({ id }) => id === server.id))
  })
})

describe('power', () => {
  test('answers in the document’s words', async () => {
    const server = await running('Powered')
    assert.deepEqual(await ada.api.power({ params: { serverId: server.key }, body: { action: 'restart' } }), {
      message: 'Server restart initiated',
    })
  })
  test('two starts at once both succeed, and so does starting a running one', async () => {
    const server = await offline('Twice')
    const start = () => ada.api.power({ params: { serverId: server.key }, body: { action: 'start' } })
    await Promise.all([start(), start()])
    await start()
    assert.equal(await status(server.id), 'running')
  })
  test('refuses to start while it is being installed, with the reason', async () => {
    node.installs = 'held'
    const { id } = await ada.api.createServer({ body: { name: 'Slow', template: 'paper' } })
    node.installs = 'at once'
    await assert.rejects(
      ada.api.power({ params: { serverId: keyOf(id) }, body: { action: 'start' } }),
      refused('conflict', /Cannot start Slow\. It is being installed/),
    )
    node.enter(keyOf(id), 'offline')
    await until('started by itself', async () => (await status(id)) === 'running')
  })
  test('passes on the reason of a node that refuses', async () => {
    const server = await offline('Refused')
    node.meddle = (operation) => {
      if (operation === 'power') throw conflict('Java is not installed on this machine.')
    }
    await assert.rejects(
      ada.api.power({ params: { serverId: server.key }, body: { action: 'start' } }),
      refused('conflict', /Java is not installed/),
    )
    node.meddle = () => undefined
  })
  test('refuses to start a suspended server', async () => {
    const server = await offline('Suspended')
    await world.db.kysely.updateTable('servers').set({ suspended_at: 1 }).where('id', '=', server.key).execute()
    await world.changes.publish({ of: 'server', id: server.key })
    assert.equal(await status(server.id), 'suspended')
    await assert.rejects(
      ada.api.power({ params: { serverId: server.key }, body: { action: 'start' } }),
      refused('forbidden', /Suspended is suspended/),
    )
  })
  test('refuses an unknown action before anything is asked of the node', async () => {
    const server = await offline('Odd')
    const asked = node.asked.length
    await assert.rejects(
      // @ts-expect-error: not an action
      ada.api.power({ params: { serverId: server.key }, body: { action: 'explode' } }),
      refused('invalid_request', /action/),
    )
    assert.equal(node.asked.length, asked)
  })
})

describe('who may', () => {
  test('see a server of another workspace: nobody, and not that it exists', async () => {
    const other = await world.workspace('other')
    const mallory = await world.person('mallory@example.com', { workspaceId: other, role: 'owner' })
    const server = await running('Private')
    const params = { serverId: server.key }
    const attempts: (() => Promise<unknown>)[] = [
      () => mallory.api.server({ params }),
      () => mallory.api.power({ params, body: { action: 'stop' } }),
      () => mallory.api.deleteServer({ params }),
      () => mallory.api.updateServer({ params, body: { name: 'Mine' } }),
      () => mallory.api.reinstall({ params }),
      () => mallory.api.permissions({ params }),
      () => mallory.api.consoleLog({ params }),
      () => mallory.api.consoleCommand({ params, body: { command: 'op mallory' } }),
      () => mallory.api.allocations({ params }),
      () => mallory.api.subusers({ params }),
      () => mallory.api.createSubuser({ params, body: { userEmail: 'mallory@example.com', permissions: [] } }),
      () => mallory.watch(server.key),
    ]
    const missing = await mallory.api.server({ params: { serverId: '00000000' } }).catch((error) => error.message)
    for (const attempt of attempts) await assert.rejects(attempt, refused('not_found', /not found/i))
    const seen = await mallory.api.server({ params }).catch((error) => error.message)
    assert.equal(seen.replace(server.key, '00000000'), missing)
    assert.deepEqual(await mallory.api.servers(), [])
  })
  test('do each thing: exactly those with its permission', async () => {
    const server = await running('Shared')
    const params = { serverId: server.key }
    const needs = {
      'control.start': (who: Person) => who.api.power({ params, body: { action: 'start' } }),
      'control.stop': (who: Person) => who.api.power({ params, body: { action: 'stop' } }),
      'control.restart': (who: Person) => who.api.power({ params, body: { action: 'restart' } }),
      'control.kill': (who: Person) => who.api.power({ params, body: { action: 'kill' } }),
      'console.read': (who: Person) => who.api.consoleLog({ params }),
      'settings.update': (who: Person) => who.api.updateServer({ params, body: { restartOnCrash: false } }),
      'settings.reinstall': (who: Person) => who.api.reinstall({ params }),
      'network.read': (who: Person) => who.api.allocations({ params }),
      'users.read': (who: Person) => who.api.subusers({ params }),
    } as const
    const away = await world.workspace('elsewhere')
    for (const [permission, act] of Object.entries(needs)) {
      const all = serverPermissions.filter((one) => one !== permission)
      const without = await world.person(`no-${permission}@example.com`, { workspaceId: away, role: 'member' })
      const only = await world.person(`only-${permission}@example.com`, { workspaceId: away, role: 'member' })
      await world.share(server.key, without.userId, all)
      await world.share(server.key, only.userId, [permission as keyof typeof needs])
      await assert.rejects(act(without), refused('forbidden', /./), permission)
      await act(only).catch((error) => assert.equal(error.code, 'conflict', `${permission}: ${error.message}`))
    }
  })
  test('delete: only the owner and the admins of the workspace', async () => {
    const server = await running('Kept')
    const away = await world.workspace('guests')
    const guest = await world.person('guest@example.com', { workspaceId: away, role: 'owner' })
    await world.share(server.key, guest.userId, [...serverPermissions])
    await assert.rejects(
      guest.api.deleteServer({ params: { serverId: server.key } }),
      refused('forbidden', /Only the owner of Kept/),
    )
    const told = await guest.api.permissions({ params: { serverId: server.key } })
    assert.deepEqual(told, { permissions: [...serverPermissions], isOwner: false })
    assert.equal((await ada.api.permissions({ params: { serverId: server.key } })).isOwner, true)
  })
})

describe('lists', () => {
  test('come in pages without losing the shape of a list', async () => {
    const { token } = ada
    const page = async (query: string) => {
      const reply = await fetch(`${world.baseUrl}/servers${query}`, { headers: { authorization: `Bearer ${token}` } })
      const { data } = (await reply.json()) as { data: { id: string }[] }
      return { ids: data.map(({ id }) => id), next: reply.headers.get('x-next-cursor') }
    }
    const all = await page('')
    assert.equal(all.next, null)
    const paged: string[] = []
    for (let query = '?limit=2'; ; ) {
      const { ids, next } = await page(query)
      assert.ok(ids.length <= 2)
      paged.push(...ids)
      if (!next) break
      query = `?limit=2&cursor=${next}`
    }
    assert.deepEqual(paged, all.ids)
    await assert.rejects(ada.api.servers({ query: { cursor: "0' or 1=1" } }), refused('invalid_request', /cursor/))
  })
  test('of templates say what can be set, and not how a server is started', async () => {
    const [template] = await ada.api.templates()
    assert.equal(template?.id, 'paper')
    assert.equal(JSON.stringify(template).includes('"command"'), false)
    await assert.rejects(ada.api.template({ params: { template: '../paper' } }), refused('not_found', /not found/))
  })
})

describe('a node that goes away', () => {
  test('makes its servers unknown, and what needs it says which node', async () => {
    const remote = await world.node(ada, { name: 'remote' })
    const server = await create('Remote', { node: remote.id })
    await until('running', async () => (await status(server.id)) === 'running')
    await remote.leave()
    await until('unknown', async () => (await status(server.id)) === 'unknown')
    const params = { serverId: server.key }
    const seen = await ada.api.server({ params })
    assert.equal(seen.node.online, false)
    assert.match(seen.message ?? '', /Node remote is away/)
    for (const act of [
      () => ada.api.power({ params, body: { action: 'stop' } }),
      () => ada.api.consoleLog({ params }),
      () => ada.api.consoleCommand({ params, body: { command: 'list' } }),
      () => ada.api.reinstall({ params }),
    ])
      await assert.rejects(act, refused('conflict', /remote is away/))
    await remote.connect()
    await until('back', async () => (await status(server.id)) === 'running')
    await remote.leave()
  })
  test('learns on its return what changed meanwhile', async () => {
    const remote = await world.node(ada, { name: 'forgetful' })
    const server = await create('Old name', { node: remote.id, start: false })
    await remote.leave()
    await until('unknown', async () => (await status(server.id)) === 'unknown')
    const renamed = await ada.api.updateServer({ params: { serverId: server.key }, body: { name: 'New name' } })
    assert.equal(renamed.name, 'New name')
    await remote.connect()
    await until('told', () => remote.servers.get(server.key)?.spec.name === 'New name')
    await remote.leave()
  })
  test('finishes on its return the deletions it missed; the server was gone from lists at once', async () => {
    const remote = await world.node(ada, { name: 'late' })
    const server = await create('Doomed', { node: remote.id })
    await remote.leave()
    await until('unknown', async () => (await status(server.id)) === 'unknown')
    const { message } = await ada.api.deleteServer({ params: { serverId: server.key } })
    assert.match(message, /initiated/)
    assert.ok(!(await ada.api.servers()).some(({ id }) => id === server.id))
    await assert.rejects(ada.api.server({ params: { serverId: server.key } }), refused('not_found', /./))
    await assert.rejects(ada.api.deleteServer({ params: { serverId: server.key } }), refused('not_found', /./))
    const tunnel = await world.db.kysely
      .selectFrom('tunnels')
      .selectAll()
      .where('name', 'like', `server-${server.key}%`)
      .execute()
    assert.deepEqual(
      tunnel.filter((row) => row.deleted_at === null),
      [],
    )
    await remote.connect()
    await until('removed', () => !remote.servers.has(server.key))
    await until(
      'rows gone',
      async () =>
        (await world.db.kysely.selectFrom('servers').select('id').where('id', '=', server.key).execute()).length === 0,
    )
    await remote.leave()
  })
  test('keeps servers that the panel does not know', async () => {
    const remote = await world.node(ada, { name: 'older' })
    const server = await create('Known', { node: remote.id, start: false })
    const known = remote.servers.get(server.key)
    assert.ok(known)
    remote.servers.set('deadbeef', {
      ...known,
      spec: { ...known.spec, id: 'deadbeef' },
      state: { ...known.state, id: 'deadbeef' },
    })
    await remote.leave()
    await remote.connect()
    await until('back', async () => (await status(server.id)) === 'offline')
    assert.ok(remote.servers.has('deadbeef'))
    assert.ok(!remote.asked.includes('removeServer deadbeef'))
    await remote.leave()
  })
})

describe('what a node says', () => {
  test('about another node’s server changes nothing', async () => {
    const server = await running('Honest')
    const liar = await world.node(ada, { name: 'liar' })
    const own = await create('Own', { node: liar.id, start: false })
    const state = liar.servers.get(own.key)?.state
    assert.ok(state)
    liar.tell({ type: 'state', state: { ...state, id: server.key, phase: 'install_failed', message: 'hacked' } })
    liar.tell({ type: 'removed', id: server.key })
    liar.tell({
      type: 'usage',
      id: server.key,
      usage: { memoryBytes: 1, cpuCores: 9, diskBytes: 1, networkRxBytes: 1, networkTxBytes: 1, processes: 1 },
    })
    // Its own later word is taken in after those.
    liar.enter(own.key, 'running')
    await until('heard', async () => (await status(own.id)) === 'running')
    const seen = await ada.api.server({ params: { serverId: server.key } })
    assert.deepEqual([seen.status, seen.message, seen.usage], ['running', null, null])
    await liar.leave()
  })
  test('is shown: usage, the last exit, and why an installation failed', async () => {
    const server = await running('Loud')
    node.tell({
      type: 'usage',
      id: server.key,
      usage: { memoryBytes: 5, cpuCores: 0.5, diskBytes: 7, networkRxBytes: null, networkTxBytes: null, processes: 2 },
    })
    const used = await until('usage', async () => (await ada.api.server({ params: { serverId: server.key } })).usage)
    assert.equal(used.memoryBytes, 5)
    assert.ok(used.uptimeSeconds !== null && used.uptimeSeconds >= 0)
    const entry = node.servers.get(server.key)
    assert.ok(entry)
    entry.state = {
      ...entry.state,
      lastExit: { code: 137, signal: null, outOfMemory: true, crashed: true, at: 1_700_000_000_000 },
    }
    node.enter(server.key, 'install_failed', 'no space left')
    await until('failed', async () => (await status(server.id)) === 'install_failed')
    const seen = await ada.api.server({ params: { serverId: server.key } })
    assert.equal(seen.message, 'no space left')
    assert.deepEqual(seen.lastExit, {
      code: 137,
      signal: null,
      outOfMemory: true,
      crashed: true,
      at: '2023-11-14T22:13:20.000Z',
    })
  })
})

describe('the console', () => {
  test('is there in order, newest last, also while the server is stopped', async () => {
    const server = await running('Talker')
    node.print(server.key, 'a', 'b', 'c')
    const params = { serverId: server.key }
    assert.deepEqual((await ada.api.consoleLog({ params, query: { size: '2' } })).logs, ['b', 'c'])
    await ada.api.power({ params, body: { action: 'stop' } })
    await until('offline', async () => (await status(server.id)) === 'offline')
    assert.deepEqual((await ada.api.consoleLog({ params })).logs, ['ready', 'a', 'b', 'c'])
  })
  for (const size of ['0', '1001', '-1', '1.5', 'many', ''])
    test(`refuses a size of ${JSON.stringify(size)}`, async () => {
      const [server] = await ada.api.servers()
      await assert.rejects(
        ada.api.consoleLog({ params: { serverId: keyOf(server?.id ?? '') }, query: { size } }),
        refused('invalid_request', /size/),
      )
    })
  test('takes a command of a running server, and refuses one of a stopped server', async () => {
    const server = await running('Listener')
    const params = { serverId: server.key }
    assert.deepEqual(await ada.api.consoleCommand({ params, body: { command: 'say hi' } }), {
      message: 'Command executed',
    })
    assert.ok((await ada.api.consoleLog({ params })).logs.includes('> say hi'))
    await ada.api.power({ params, body: { action: 'kill' } })
    await until('offline', async () => (await status(server.id)) === 'offline')
    await assert.rejects(
      ada.api.consoleCommand({ params, body: { command: 'say hi' } }),
      refused('conflict', /It is not running: start it first/),
    )
  })
  for (const command of ['', 'two\nlines', 'bell\u0007', 'x'.repeat(4097)])
    test(`refuses the command ${JSON.stringify(command.slice(0, 12))}`, async () => {
      const [server] = await ada.api.servers()
      await assert.rejects(
        ada.api.consoleCommand({ params: { serverId: keyOf(server?.id ?? '') }, body: { command } }),
        refused('invalid_request', /command/),
      )
    })
})

test('deleting removes it from the node and from lists, and its port is free for another', async () => {
  const server = await running('Gone')
  const before = server.allocations[0]?.local
  assert.deepEqual(await ada.api.deleteServer({ params: { serverId: server.key } }), {
    message: 'Server deleted successfully',
  })
  assert.ok(!node.servers.has(server.key))
  await assert.rejects(ada.api.server({ params: { serverId: server.key } }), refused('not_found', /./))
  assert.equal((await offline('Next')).allocations[0]?.local, before)
})
test('reinstalling is refused while it runs, and keeps what it is', async () => {
  const server = await running('Again')
  const params = { serverId: server.key }
  await assert.rejects(ada.api.reinstall({ params }), refused('conflict', /It is not stopped: stop it first/))
  await ada.api.power({ params, body: { action: 'stop' } })
  await until('offline', async () => (await status(server.id)) === 'offline')
  assert.deepEqual(await ada.api.reinstall({ params }), { message: 'Server reinstall initiated' })
})
test('the reply of the document’s examples has the document’s fields', async () => {
  const server = await running('Exact')
  const reply = await fetch(`${world.baseUrl}/servers/${server.key}`, {
    headers: { authorization: `Bearer ${ada.token}` },
  })
  const body = (await reply.json()) as { success: boolean; data: Record<string, unknown> }
  assert.equal(body.success, true)
  for (const field of ['id', 'name', 'status', 'resources', 'createdAt']) assert.ok(field in body.data, field)
  assert.match(String(body.data.createdAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})
