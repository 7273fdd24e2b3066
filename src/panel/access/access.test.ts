import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { refused } from '../../../test/refused.ts'
import { addMember, MovableClock, owner, signIn, startAcme, startPanelWorld } from '../../../test/world/panel.ts'
import { RateLimit } from '../rates/index.ts'
import { TaggedCache } from './tagged-cache.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** fetch sets Sec-Fetch-Site by itself and forbids Host; this sends exactly these headers. */
function send(url: string, method: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (reply) => {
      let body = ''
      reply.setEncoding('utf8').on('data', (text) => {
        body += text
      })
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const rateOf = ({ headers }: Response) =>
  ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`x-ratelimit-${name}`)))

testOnEachDatabase('allows a key 180 requests a minute, says how many are left, then answers 429', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const ask = (path = '/workspace') => fetch(world.api + path, { headers: bearer(world.key) })
  assert.deepEqual(rateOf(await ask()), [180, 179, 60])
  clock.advance(20_000)
  for (const [path, status] of [
    ['/tokens', 200],
    ['/usage?days=0', 400],
    ['/servers/00000000', 404],
  ] as const) {
    const reply = await ask(path)
    assert.equal(reply.status, status)
    assert.equal(reply.headers.get('x-ratelimit-limit'), '180', path)
  }
  for (let count = 4; count < 180; count++) await (await ask()).body?.cancel()
  const refused = await ask()
  assert.equal(refused.status, 429)
  assert.deepEqual(rateOf(refused), [180, 0, 40])
  assert.equal(refused.headers.get('retry-after'), '40')
  assert.equal(((await refused.json()) as { error: string }).error, 'rate_limited')
  const panelFamily = await ask('/servers')
  assert.equal(panelFamily.status, 429)
  assert.equal(((await panelFamily.json()) as { success: boolean }).success, false)
  clock.advance(40_000)
  assert.deepEqual(rateOf(await ask()), [180, 179, 60])
})

testOnEachDatabase(
  'gives a workspace on plan enterprise its own limit, from the moment it is announced',
  async (database) => {
    await using world = await startAcme(database)
    await world.acme.workspace()
    await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1000 } })
    const reply = await fetch(`${world.api}/workspace`, { headers: bearer(world.key) })
    assert.equal(reply.headers.get('x-ratelimit-limit'), '1000')
  },
)
testOnEachDatabase('has no limit of its own for a workspace on plan standard, and says so', async (database) => {
  await using world = await startAcme(database)
  const put = (body: { plan?: 'standard' | 'enterprise'; rateLimit?: number }) =>
    world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body })
  await assert.rejects(put({ rateLimit: 1000 }), refused('invalid_request', /rateLimit: needs the plan enterprise/))
  await put({ plan: 'enterprise', rateLimit: 1000 })
  assert.equal((await put({ plan: 'standard' })).rateLimit, null)
})

testOnEachDatabase('limits refused keys of one address, and never a good key for them', async (database) => {
  await using world = await startAcme(database, { clock: new MovableClock() })
  const statuses = new Map<number, number>()
  for (let count = 0; count < 25; count++) {
    const { status } = await fetch(`${world.api}/workspace`, { headers: bearer(`phk_wrong${count}`) })
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  assert.deepEqual(
    [...statuses],
    [
      [401, 20],
      [429, 5],
    ],
  )
  assert.equal((await world.acme.workspace()).slug, 'acme')
})

testOnEachDatabase('limits requests without a key by address', async (database) => {
  await using world = await startPanelWorld(database, { clock: new MovableClock() })
  let last: Response | undefined
  for (let count = 0; count <= 120; count++) {
    last = await fetch(`${world.api}/workspace`)
    await last.body?.cancel()
  }
  assert.equal(last?.status, 429)
  assert.ok(Number(last.headers.get('retry-after')) > 0)
})

testOnEachDatabase(
  'refuses the keys, servers and sessions of a suspended workspace, and says why',
  async (database) => {
    await using world = await startAcme(database)
    const cookie = await signIn(world.api, owner.email, owner.password)
    const admin = { cookie, origin: new URL(world.api).origin, 'content-type': 'application/json' }
    const suspend = (suspended: boolean) =>
      fetch(`${world.api}/workspaces/acme/plan`, { method: 'PUT', headers: admin, body: JSON.stringify({ suspended }) })
    assert.equal((await world.acme.workspace()).slug, 'acme')
    assert.equal((await suspend(true)).status, 200)
    for (const headers of [bearer(world.key), { cookie }]) {
      const reply = await fetch(`${world.api}/workspace`, { headers })
      const body = (await reply.json()) as { error: string; message: string }
      assert.equal(reply.status, 403)
      assert.match(body.message, /suspended/)
    }
    assert.equal((await fetch(`${world.api}/servers`, { headers: bearer(world.key) })).status, 403)
    assert.equal((await fetch(`${world.api}/account`, { headers: { cookie } })).status, 200)
    assert.equal((await suspend(false)).status, 200)
    assert.equal((await world.acme.workspace()).slug, 'acme')
  },
)

testOnEachDatabase('takes a session only from pages of the panel itself', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, owner.email, owner.password)
  const own = new URL(world.api).origin
  const post = (headers: Record<string, string>) => send(`${world.api}/tokens`, 'POST', { cookie, ...headers })
  const get = (headers: Record<string, string>) => send(`${world.api}/workspace`, 'GET', { cookie, ...headers })
  for (const headers of [
    {},
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: own.replace('127.0.0.1', 'web.acme.127.0.0.1') },
    { origin: own, 'sec-fetch-site': 'cross-site' },
    { origin: own, 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ])
    assert.equal((await post(headers)).status, 401, JSON.stringify(headers))
  for (const headers of [{ origin: own }, { 'sec-fetch-site': 'same-origin' }])
    assert.equal((await post(headers)).status, 200, JSON.stringify(headers))
  assert.equal((await get({})).status, 200)
  assert.equal((await get({ 'sec-fetch-site': 'none' })).status, 200)
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }])
    assert.equal((await get(headers)).status, 401, JSON.stringify(headers))
  // Two cookies of one name: one of them was planted by a neighbour.
  assert.equal((await send(`${world.api}/workspace`, 'GET', { cookie: `${cookie}; pharos_session=other` })).status, 401)
})

testOnEachDatabase('opens no live socket with a session from another site', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, owner.email, owner.password)
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  for (const origin of [{}, { origin: 'https://evil.example' }])
    assert.equal((await send(`${world.api}/events`, 'GET', { cookie, ...upgrade, ...origin })).status, 401)
})

testOnEachDatabase('lets a key win over a cookie, also a bad one', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, owner.email, owner.password)
  const reply = await fetch(`${world.api}/workspace`, { headers: { cookie, ...bearer('phk_wrong') } })
  assert.equal(reply.status, 401)
})

testOnEachDatabase('lets a session choose among its workspaces and no others', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const slugFor = async (headers: Record<string, string>) => {
    const reply = await fetch(`${world.api}/workspace`, { headers: { cookie: bob.cookie, ...headers } })
    return reply.status === 200 ? ((await reply.json()) as { slug: string }).slug : reply.status
  }
  assert.equal(await slugFor({}), 'acme')
  assert.equal(await slugFor({ 'x-pharos-workspace': 'bobs' }), 'bobs')
  const ada = await signIn(world.api, owner.email, owner.password)
  const foreign = async (slug: string) => {
    const reply = await fetch(`${world.api}/workspace`, { headers: { cookie: ada, 'x-pharos-workspace': slug } })
    return [reply.status, (await reply.text()).replaceAll(slug, 'SLUG')]
  }
  assert.equal((await foreign('bobs'))[0], 403)
  assert.deepEqual(await foreign('bobs'), await foreign('nothing'))
})

testOnEachDatabase('keeps what only administrators may do from everybody else', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com', 'owner')
  await assert.rejects(world.client(bob.key).createEdge({ body: { name: 'mine' } }), { code: 'forbidden' })
  await assert.rejects(world.client(bob.key).nodes(), { code: 'forbidden' })
  await assert.rejects(world.client().nodes(), { code: 'unauthorized' })
  assert.deepEqual(await world.acme.nodes(), { nodes: [] })
})

test('forgets what was loaded while something changed', async () => {
  const cache = new TaggedCache<number>({ sizeMax: 10, ageMaxMs: 1000, clock: new MovableClock() })
  const { promise, resolve } = Promise.withResolvers<{ value: number; tags: string[] }>()
  const loading = cache.load('a', () => promise)
  cache.drop('user 1')
  resolve({ value: 1, tags: ['user 1'] })
  assert.equal(await loading, 1)
  assert.equal(cache.get('a'), undefined)
})

test('forgets by tag, and the oldest when it is full', async () => {
  const cache = new TaggedCache<number>({ sizeMax: 2, ageMaxMs: 1000, clock: new MovableClock() })
  for (const key of ['a', 'b', 'c']) await cache.load(key, async () => ({ value: 1, tags: [key, 'all'] }))
  assert.equal(cache.get('a'), undefined)
  cache.drop('b')
  assert.equal(cache.get('b'), undefined)
  assert.equal(cache.get('c'), 1)
  cache.drop('all')
  assert.equal(cache.get('c'), undefined)
})

test('forgets what it has remembered for too long', async () => {
  const clock = new MovableClock()
  const cache = new TaggedCache<number>({ sizeMax: 2, ageMaxMs: 1000, clock })
  await cache.load('a', async () => ({ value: 1, tags: [] }))
  clock.advance(999)
  assert.equal(cache.get('a'), 1)
  clock.advance(1)
  assert.equal(cache.get('a'), undefined)
})

test('remembers no more callers than it was told to', () => {
  const limit = new RateLimit({ windowMs: 1000, keysMax: 2, clock: new MovableClock() })
  for (const key of ['a', 'b', 'c']) limit.take(key, 1)
  assert.equal(limit.take('c', 1).allowed, false)
  assert.equal(limit.take('a', 1).allowed, true)
})
