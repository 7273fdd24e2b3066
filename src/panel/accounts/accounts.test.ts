import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { addMember, MovableClock, owner, signIn, startAcme, startPanelWorld } from '../../../test/world/panel.ts'

const dayMs = 86_400_000
const secretIn = (url: string | null): string => url?.split('#')[1] ?? ''
const post = (api: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(api + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

testOnEachDatabase('sets up once by its link, and signs the owner in', async (database) => {
  await using world = await startPanelWorld(database)
  const secret = secretIn(await world.panel.setupLink())
  assert.equal((await stat(join(world.folder, 'setup-secret'))).mode & 0o777, 0o600)
  assert.equal((await readFile(join(world.folder, 'setup-secret'), 'utf8')).trim(), secret)
  const reply = await post(world.api, '/setup', { ...owner, secret })
  const account = (await reply.json()) as { instanceAdmin: boolean; workspaces: { slug: string; role: string }[] }
  assert.equal(reply.status, 200)
  assert.equal(account.instanceAdmin, true)
  assert.deepEqual(
    account.workspaces.map(({ slug, role }) => [slug, role]),
    [['acme', 'owner']],
  )
  const cookie = reply.headers.get('set-cookie') ?? ''
  assert.match(cookie, /^pharos_session=phc_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/)
  const made = await post(
    world.api,
    '/tokens',
    { label: 'first' },
    { cookie: cookie.split(';')[0] ?? '', origin: new URL(world.api).origin },
  )
  assert.equal((await world.client(((await made.json()) as { token: string }).token).workspace()).slug, 'acme')
  assert.equal(await world.panel.setupLink(), null)
  assert.equal(existsSync(join(world.folder, 'setup-secret')), false)
  await assert.rejects(world.client().setup({ body: { ...owner, secret, email: 'eve@example.com' } }), {
    code: 'conflict',
  })
  await assert.rejects(world.panel.setup(owner), { code: 'conflict' })
})

testOnEachDatabase(
  'refuses a set-up with another secret, a weak password, a bad slug or unknown fields',
  async (database) => {
    await using world = await startPanelWorld(database)
    const secret = secretIn(await world.panel.setupLink())
    const { workspace } = owner
    for (const [change, code] of [
      [{ secret: 'phs_wrong' }, 'unauthorized'],
      [{ password: 'short' }, 'invalid_request'],
      [{ email: 'nobody' }, 'invalid_request'],
      [{ workspace: { ...workspace, slug: 'Acme' } }, 'invalid_request'],
      [{ workspace: { ...workspace, slug: 'a-b' } }, 'invalid_request'],
      [{ admin: true }, 'invalid_request'],
    ] as const)
      await assert.rejects(
        world.client().setup({ body: { ...owner, secret, ...change } }),
        { code },
        JSON.stringify(change),
      )
    assert.deepEqual(await world.database.kysely.selectFrom('users').selectAll().execute(), [])
  },
)

testOnEachDatabase('lets one of several set-ups at the same moment succeed', async (database) => {
  await using world = await startPanelWorld(database)
  const secret = secretIn(await world.panel.setupLink())
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c'].map((name) =>
      world
        .client()
        .setup({ body: { ...owner, secret, email: `${name}@example.com`, workspace: { name, slug: `ws${name}` } } }),
    ),
  )
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
  assert.deepEqual(refused, ['conflict', 'conflict'])
  assert.equal((await world.database.kysely.selectFrom('users').selectAll().execute()).length, 1)
  assert.equal((await world.database.kysely.selectFrom('workspaces').selectAll().execute()).length, 1)
})

testOnEachDatabase('keeps a printed set-up link good over a restart', async (database) => {
  await using first = await startPanelWorld(database)
  const secret = secretIn(await first.panel.setupLink())
  await first.panel[Symbol.asyncDispose]()
  await using second = await startPanelWorld(database, { folder: first.folder })
  assert.equal(secretIn(await second.panel.setupLink()), secret)
})

testOnEachDatabase(
  'signs in, says the same for a wrong password and an unknown address, and slows guessing down',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    assert.match(await signIn(world.api, ' ADA@example.com ', owner.password), /^pharos_session=/)
    const wrong = await post(world.api, '/sessions', { email: owner.email, password: 'wrong wrong wrong' })
    const unknown = await post(world.api, '/sessions', { email: 'eve@example.com', password: 'wrong wrong wrong' })
    assert.deepEqual([wrong.status, await wrong.json()], [unknown.status, await unknown.json()])
    assert.equal(wrong.status, 401)
    assert.equal(wrong.headers.get('set-cookie'), null)
    const statuses = []
    for (let count = 0; count < 10; count++)
      statuses.push(
        (await post(world.api, '/sessions', { email: owner.email, password: `guess number ${count}` })).status,
      )
    assert.deepEqual(statuses, [...Array(9).fill(401), 429])
    assert.equal((await post(world.api, '/sessions', owner)).status, 400, 'unknown fields')
    const { email, password } = owner
    assert.equal((await post(world.api, '/sessions', { email, password })).status, 429)
    clock.advance(15 * 60_000)
    assert.equal((await post(world.api, '/sessions', { email, password })).status, 200)
  },
)

testOnEachDatabase('lists and ends sessions, only one’s own', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com')
  const here = await signIn(world.api, owner.email, owner.password)
  const there = await signIn(world.api, owner.email, owner.password)
  const origin = new URL(world.api).origin
  const list = async (cookie: string) =>
    (
      (await (await fetch(`${world.api}/sessions`, { headers: { cookie } })).json()) as {
        sessions: { id: string; current: boolean }[]
      }
    ).sessions
  const sessions = await list(here)
  assert.equal(sessions.length, 2)
  assert.deepEqual(sessions.filter(({ current }) => current).length, 1)
  const other = sessions.find(({ current }) => !current)?.id ?? ''
  const end = (cookie: string, id: string) =>
    fetch(`${world.api}/sessions/${id}`, { method: 'DELETE', headers: { cookie, origin } })
  assert.equal((await end(bob.cookie, other)).status, 404)
  assert.equal((await end(here, other)).status, 200)
  assert.equal((await end(here, other)).status, 404)
  assert.equal((await fetch(`${world.api}/account`, { headers: { cookie: there } })).status, 401)
  const out = await fetch(`${world.api}/sessions/current`, { method: 'DELETE', headers: { cookie: here, origin } })
  assert.equal(out.status, 200)
  assert.match(out.headers.get('set-cookie') ?? '', /^pharos_session=;.*Max-Age=0/)
  assert.equal((await fetch(`${world.api}/account`, { headers: { cookie: here } })).status, 401)
  await assert.rejects(world.acme.signOut(), { code: 'not_found' })
})

testOnEachDatabase(
  'ends a session that is not used for two weeks, prolongs one that is, for at most ninety days',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const idle = await signIn(world.api, owner.email, owner.password)
    const used = await signIn(world.api, owner.email, owner.password)
    const status = async (cookie: string) => (await fetch(`${world.api}/sessions`, { headers: { cookie } })).status
    const statuses = []
    for (let day = 0; day < 91; day += 13) {
      statuses.push(await status(used))
      clock.advance(13 * dayMs)
    }
    assert.deepEqual(statuses, Array(7).fill(200))
    assert.equal(await status(used), 401)
    assert.equal(await status(idle), 401)
  },
)

testOnEachDatabase('changes a password, which ends every other session', async (database) => {
  await using world = await startAcme(database)
  const here = await signIn(world.api, owner.email, owner.password)
  const there = await signIn(world.api, owner.email, owner.password)
  const headers = { cookie: here, origin: new URL(world.api).origin, 'content-type': 'application/json' }
  const change = (current: string, password: string) =>
    fetch(`${world.api}/account/password`, { method: 'PUT', headers, body: JSON.stringify({ current, password }) })
  assert.equal((await change('not the password', 'a new password')).status, 403)
  assert.equal((await change(owner.password, 'short')).status, 400)
  assert.equal((await fetch(`${world.api}/account`, { headers: { cookie: there } })).status, 200)
  assert.equal((await change(owner.password, 'a new password')).status, 200)
  assert.equal((await fetch(`${world.api}/account`, { headers: { cookie: there } })).status, 401)
  assert.equal((await fetch(`${world.api}/account`, { headers: { cookie: here } })).status, 200)
  await assert.rejects(signIn(world.api, owner.email, owner.password))
  await signIn(world.api, owner.email, 'a new password')
})

testOnEachDatabase(
  'lets an invitation in once, also when it is accepted twice at the same moment',
  async (database) => {
    await using world = await startAcme(database)
    const { url } = await world.acme.createInvitation({ body: { email: 'Bob@Example.com', role: 'admin' } })
    const accept = () =>
      world.client().acceptInvitation({ body: { secret: secretIn(url), password: 'a good password' } })
    const outcomes = await Promise.allSettled([accept(), accept(), accept()])
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    await assert.rejects(accept(), { code: 'unauthorized' })
    const { members } = await world.acme.members()
    assert.deepEqual(
      members.map(({ email, role }) => [email, role]),
      [
        [owner.email, 'owner'],
        ['bob@example.com', 'admin'],
      ],
    )
  },
)

testOnEachDatabase(
  'refuses an invitation that was withdrawn, replaced or is a week old, and a known person with another password',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const invite = (email: string) => world.acme.createInvitation({ body: { email } })
    const accept = (url: string | null, password = 'a good password') =>
      world.client().acceptInvitation({ body: { secret: secretIn(url), password } })
    const withdrawn = await invite('bob@example.com')
    await world.acme.deleteInvitation({ params: { invitation: withdrawn.id } })
    await assert.rejects(accept(withdrawn.url), { code: 'unauthorized' })
    await assert.rejects(world.acme.deleteInvitation({ params: { invitation: withdrawn.id } }), { code: 'not_found' })
    const replaced = await invite('bob@example.com')
    const old = await invite('bob@example.com')
    await assert.rejects(accept(replaced.url), { code: 'unauthorized' })
    clock.advance(7 * dayMs)
    await assert.rejects(accept(old.url), { code: 'unauthorized' })
    await assert.rejects(invite(owner.email), { code: 'conflict' })
    await addMember(world, 'carol@example.com')
    const carol = (await world.acme.members()).members.find(({ email }) => email === 'carol@example.com')
    await world.acme.removeMember({ params: { member: carol?.id ?? '' } })
    const again = await invite('carol@example.com')
    await assert.rejects(accept(again.url), { code: 'unauthorized' })
    const account = await accept(again.url, 'carol@example.com has a password')
    assert.equal(account.id, carol?.id)
  },
)

testOnEachDatabase('logs no secret', async (database) => {
  let lines = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines += String(chunk)
      done()
    },
  })
  await using world = await startPanelWorld(database, { log: pino({ level: 'trace' }, sink) })
  const secret = secretIn(await world.panel.setupLink())
  await post(world.api, '/setup', { ...owner, secret: 'phs_wrong-secret' })
  const cookie = (await post(world.api, '/setup', { ...owner, secret })).headers.get('set-cookie')?.split(';')[0] ?? ''
  await fetch(`${world.api}/account?secret=phk_in-the-query`, { headers: { cookie } })
  await fetch(`${world.api}/workspace`, { headers: { authorization: 'Bearer phk_wrong-key' } })
  await post(world.api, '/sessions', { email: owner.email, password: 'wrong-password' })
  for (const hidden of [
    secret,
    'phs_wrong-secret',
    cookie.split('=')[1] ?? '',
    owner.password,
    'phk_wrong-key',
    'wrong-password',
  ])
    assert.ok(hidden.length > 9 && !lines.includes(hidden), 'a secret is in the log')
})

testOnEachDatabase('marks the session for https alone where the panel is reached by https', async (database) => {
  await using world = await startPanelWorld(database, { config: { publicUrl: 'https://panel.example.org/' } })
  const link = await world.panel.setupLink()
  assert.match(link ?? '', /^https:\/\/panel\.example\.org\/setup#phs_/)
  const reply = await post(world.api, '/setup', { ...owner, secret: secretIn(link) })
  const cookie = reply.headers.get('set-cookie') ?? ''
  assert.match(cookie, /; Secure$/)
  const made = await post(
    world.api,
    '/tokens',
    {},
    { cookie: cookie.split(';')[0] ?? '', origin: 'https://panel.example.org' },
  )
  assert.equal(made.status, 200)
})
