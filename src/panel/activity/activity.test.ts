import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { addMember, eventually, startAcme } from '../../../test/world/panel.ts'
import { joinFakeNode } from '../../../test/world/panel-node.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { openDatabase } from '../db/index.ts'
import { Activity } from './activity.ts'
import { type Act, EntryIds, idAt, isEntryId, rowOf } from './entry.ts'
import { entriesPerWrite, keptMs, textCharsMax } from './limits.ts'
import { removeOldest, usersWithMoreThan, workspacesWithMoreThan } from './store.ts'

const act: Act = {
  who: { userId: 'usr_1', email: 'ada@example.com', via: { kind: 'token', id: 'tok_1' } },
  operation: 'power',
  permission: 'control.start',
  subject: null,
  serverId: '1a7ce997',
  workspaceId: 'wsp_1',
  address: '192.0.2.1',
  userAgent: 'curl',
  code: null,
}

async function startServer(world: Awaited<ReturnType<typeof startAcme>>, name = 'Lobby') {
  const { id } = await world.acme.createServer({ body: { name, template: 'plain', start: false } })
  const serverId = id.slice('servers/'.length)
  await eventually(async () => (await world.acme.server({ params: { serverId } })).status === 'offline', 'installed')
  return { id, serverId }
}

testOnEachDatabase('tells who did what to a server, from where and by which key, newest first', async (database) => {
  await using world = await startAcme(database)
  await using _node = await joinFakeNode(world.acme)
  const { id, serverId } = await startServer(world)
  await world.acme.power({ params: { serverId }, body: { action: 'start' } })
  await world.acme.updateServer({ params: { serverId }, body: { name: 'Renamed' } })
  await world.acme.server({ params: { serverId } })
  const { entries, nextCursor } = await world.acme.serverActivity({ params: { serverId } })
  assert.deepEqual(
    entries.map(({ operation, permission, outcome, code }) => ({ operation, permission, outcome, code })),
    [
      { operation: 'updateServer', permission: 'settings.update', outcome: 'done', code: null },
      { operation: 'power', permission: 'control.start', outcome: 'done', code: null },
      { operation: 'createServer', permission: 'servers.create', outcome: 'done', code: null },
    ],
  )
  assert.equal(nextCursor, null)
  const { at, id: entryId, viaId, ...power } = entries[1] ?? assert.fail()
  assert.match(entryId, /^act_/)
  assert.match(viaId ?? '', /^tok_/)
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
  assert.deepEqual(power, {
    operation: 'power',
    permission: 'control.start',
    subject: null,
    outcome: 'done',
    code: null,
    serverId: id,
    userId: world.account.id,
    email: 'ada@example.com',
    via: 'token',
    address: '127.0.0.1',
    userAgent: power.userAgent,
  })
  const workspace = await world.acme.workspaceActivity()
  assert.deepEqual(
    workspace.entries.map(({ operation, serverId }) => [operation, serverId]),
    [
      ['updateServer', id],
      ['power', id],
      ['createServer', id],
      ['createNode', null],
    ],
  )
})

testOnEachDatabase(
  'records what was denied, what failed, and nothing for what looks like nothing',
  async (database) => {
    await using world = await startAcme(database)
    await using _node = await joinFakeNode(world.acme)
    const { serverId } = await startServer(world)
    const bob = await addMember(world, 'bob@example.com')
    const asBob = world.client(bob.key)
    await assert.rejects(asBob.power({ params: { serverId }, body: { action: 'kill' } }), /not found/)
    await world.acme.createSubuser({
      params: { serverId },
      body: { userEmail: 'bob@example.com', permissions: ['console.read'] },
    })
    await assert.rejects(asBob.power({ params: { serverId }, body: { action: 'kill' } }), /control\.kill/)
    await assert.rejects(asBob.deleteServer({ params: { serverId } }), /owner/)
    await assert.rejects(asBob.serverActivity({ params: { serverId } }), /activity\.read/)
    await assert.rejects(asBob.workspaceActivity(), /activity\.read/)
    await assert.rejects(
      world.acme.consoleCommand({ params: { serverId }, body: { command: 'op bob' } }),
      /not running/,
    )
    const { entries } = await world.acme.serverActivity({ params: { serverId } })
    assert.deepEqual(
      entries.map(({ operation, permission, outcome, code, email }) => [operation, permission, outcome, code, email]),
      [
        ['consoleCommand', 'console.write', 'failed', 'conflict', 'ada@example.com'],
        ['deleteServer', null, 'denied', 'forbidden', 'bob@example.com'],
        ['power', 'control.kill', 'denied', 'forbidden', 'bob@example.com'],
        ['createSubuser', 'users.create', 'done', null, 'ada@example.com'],
        ['createServer', 'servers.create', 'done', null, 'ada@example.com'],
      ],
    )
  },
)

testOnEachDatabase('keeps bodies, keys and passwords out of the log', async (database) => {
  await using world = await startAcme(database)
  const { id, token } = await world.acme.createToken({ body: { label: 'a label' } })
  await world.acme
    .changePassword({ body: { current: 'a wrong password', password: 'a new password 1' } })
    .catch(() => 0)
  const { entries } = await world.acme.workspaceActivity()
  assert.deepEqual(
    entries.map(({ operation, subject, outcome }) => [operation, subject, outcome]),
    [
      ['changePassword', null, 'denied'],
      ['createToken', id, 'done'],
    ],
  )
  const rows = JSON.stringify(await world.database.kysely.selectFrom('activity').selectAll().execute())
  for (const secret of [token, world.key, 'a label', 'a wrong password', 'a new password 1'])
    assert.ok(!rows.includes(secret), secret)
})

testOnEachDatabase(
  'a person finds what was done in their name; a key finds that of its workspace',
  async (database) => {
    await using world = await startAcme(database)
    const bob = await addMember(world, 'bob@example.com')
    const asBob = world.client(bob.key)
    await asBob.createToken({ body: {} })
    await asBob.createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
    const inAcme = await asBob.accountActivity()
    assert.deepEqual(
      inAcme.entries.map(({ operation }) => operation),
      ['createWorkspace', 'createToken', 'createToken'],
    )
    const headers = { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' }
    const other = await fetch(`${world.api}/tokens`, { method: 'POST', headers })
    assert.equal(other.status, 200)
    assert.equal((await asBob.accountActivity()).entries.length, 3)
    const all = (await (await fetch(`${world.api}/account/activity`, { headers })).json()) as {
      entries: { operation: string; via: string }[]
    }
    assert.deepEqual(
      all.entries.map(({ operation, via }) => [operation, via]),
      [
        ['createToken', 'session'],
        ['createWorkspace', 'token'],
        ['createToken', 'token'],
        ['createToken', 'session'],
        ['signIn', 'session'],
        ['acceptInvitation', 'session'],
      ],
    )
    assert.ok((await world.acme.accountActivity()).entries.every(({ email }) => email === 'ada@example.com'))
  },
)

testOnEachDatabase(
  'pages through without losing or repeating an entry; refuses a cursor of another kind',
  async (database) => {
    await using world = await startAcme(database)
    for (let n = 0; n < 7; n++) await world.acme.updateWorkspace({ body: { name: `Acme ${n}` } })
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await world.acme.workspaceActivity({ query: { limit: 3, ...(cursor ? { cursor } : {}) } })
      seen.push(...page.entries.map(({ id }) => id))
      cursor = page.nextCursor ?? undefined
      await world.acme.updateWorkspace({ body: { name: 'Another meanwhile' } })
    } while (cursor)
    assert.equal(seen.length, 7)
    assert.deepEqual(seen, [...new Set(seen)].sort().reverse())
    for (const bad of ['act_', 'x', "act_' or 1=1 --", '%00', '9'.repeat(201)])
      await assert.rejects(world.acme.workspaceActivity({ query: { cursor: bad } }), { code: 'invalid_request' })
  },
)

testOnEachDatabase('stores hostile text as data', async (database) => {
  await using world = await startAcme(database)
  const userAgent = `<script>alert(1)</script>'); drop table activity; -- \u001b[2J${'x'.repeat(5000)}`
  const reply = await fetch(`${world.api}/tokens/${encodeURIComponent('tok_<b>\u202e')}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${world.key}`, 'user-agent': userAgent.replace('\u001b', '') },
  })
  assert.equal(reply.status, 404)
  const nul = await fetch(`${world.api}/tokens/tok_%00`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${world.key}` },
  })
  assert.equal(nul.status, 400)
  const [entry] = (await world.acme.workspaceActivity()).entries
  assert.deepEqual([entry?.operation, entry?.subject], ['revokeToken', 'tok_<b>\u202e'])
  assert.equal(entry?.userAgent?.length, textCharsMax)
  assert.ok(entry?.userAgent?.startsWith('<script>alert(1)</script>'))
})

testOnEachDatabase(
  '40,000 entries at once are written, each once, and the oldest can go (CVE-2026-21696)',
  async (database) => {
    await using db = await openDatabase(database, silentLog)
    await using activity = new Activity({ db, clock: systemClock, log: silentLog })
    for (let n = 0; n < 40_000; n++) {
      activity.record({ ...act, subject: String(n) })
      if (n % 10_000 === 9_999) await activity.flush()
    }
    const count = async () =>
      Number(
        (
          await db.kysely
            .selectFrom('activity')
            .select((eb) => eb.fn.countAll().as('count'))
            .executeTakeFirstOrThrow()
        ).count,
      )
    assert.equal(await count(), 40_000)
    assert.deepEqual(await workspacesWithMoreThan(db.kysely, 40_000), [])
    assert.deepEqual(await workspacesWithMoreThan(db.kysely, 39_999), ['wsp_1'])
    await removeOldest(db.kysely, { workspaceId: 'wsp_1' }, 1000)
    assert.equal(await count(), 1000)
    const { entries } = await activity.page({ column: 'server_id', id: act.serverId ?? '' }, { limit: 1 })
    assert.equal(entries[0]?.subject, '39999')
  },
)

testOnEachDatabase(
  'writes what the database did not take with what comes next, and forgets after its time',
  async (database) => {
    await using db = await openDatabase(database, silentLog)
    let now = Date.UTC(2026, 0, 1)
    await using activity = new Activity({ db, clock: { ...systemClock, now: () => now }, log: silentLog })
    await db.kysely.schema.alterTable('activity').renameTo('away').execute()
    for (let n = 0; n <= entriesPerWrite; n++) activity.record(act)
    await activity.flush()
    await db.kysely.schema.alterTable('away').renameTo('activity').execute()
    const of = { column: 'workspace_id', id: 'wsp_1' } as const
    assert.equal((await activity.page(of, { limit: 1000 })).entries.length, entriesPerWrite + 1)
    now += keptMs - 1
    await activity.tidy()
    activity.record(act)
    assert.equal((await activity.page(of, { limit: 1000 })).entries.length, entriesPerWrite + 2)
    now += 2
    await activity.tidy()
    assert.equal((await activity.page(of, { limit: 1000 })).entries.length, 1)
  },
)

testOnEachDatabase('a panel that stops loses no entry', async (database) => {
  {
    await using world = await startAcme(database)
    await world.acme.updateWorkspace({ body: { name: 'Last words' } })
  }
  await using db = await openDatabase(database, silentLog)
  const rows = await db.kysely.selectFrom('activity').select('operation').execute()
  assert.deepEqual(rows, [{ operation: 'updateWorkspace' }])
})

describe('entries', () => {
  test('sort by time, those of one millisecond as they were made, and a clock that goes back changes nothing', () => {
    const ids = new EntryIds()
    const made = [5, 5, 5, 6, 4, 7].map((at) => ids.next(Date.UTC(2026, 0, 1) + at))
    assert.deepEqual(made, [...made].sort())
    assert.ok(made.every(isEntryId))
    assert.ok(made.every((id) => id > idAt(Date.UTC(2026, 0, 1) + 4)))
    assert.ok(made.slice(0, 3).every((id) => id < idAt(Date.UTC(2026, 0, 1) + 6)))
  })
  test('of nobody, of no server and of no place are possible', () => {
    const row = rowOf({ ...act, who: null, address: null, userAgent: null, code: 'forbidden' }, 'act_1', 1)
    assert.equal(rowOf({ ...act, subject: 'a\u0000b' }, 'act_1', 1).subject, 'a\ufffdb')
    assert.deepEqual([row.user_id, row.via, row.address, row.outcome], [null, null, null, 'denied'])
  })
})

testOnEachDatabase(
  'keeps no more than so much of an account outside of workspaces, and of nobody else less',
  async (database) => {
    await using db = await openDatabase(database, silentLog)
    await using activity = new Activity({ db, clock: systemClock, log: silentLog })
    const signIn = { ...act, operation: 'signIn', serverId: null, workspaceId: null }
    for (let n = 0; n < 5; n++) activity.record({ ...signIn, subject: String(n) })
    activity.record({ ...act, subject: 'in a workspace' })
    activity.record({ ...signIn, subject: 'of another', who: { userId: 'usr_2', email: 'bob@example.com', via: null } })
    await activity.flush()
    assert.deepEqual(await usersWithMoreThan(db.kysely, 5), [])
    assert.deepEqual(await usersWithMoreThan(db.kysely, 4), ['usr_1'])
    await removeOldest(db.kysely, { userId: 'usr_1' }, 2)
    const kept = await db.kysely.selectFrom('activity').select('subject').orderBy('id').execute()
    assert.deepEqual(
      kept.map(({ subject }) => subject),
      ['3', '4', 'in a workspace', 'of another'],
    )
  },
)
