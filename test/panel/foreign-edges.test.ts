import assert from 'node:assert/strict'
import type { PanelConfigInput } from '../../src/panel/config.ts'
import { testOnEachDatabase, testOnSqlite } from '../databases.ts'
import { aRequest, ContractEdge, nanoseconds } from '../world/contract-edge.ts'
import { addMember, MovableClock, startAcme } from '../world/panel.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const base = 'tunnels.example.org'
const notFound = (body: unknown) => assert.equal((body as { error: string }).error, 'not_found')

/** A panel, an edge of others that was registered there, and a workspace of strangers. */
async function startWorld(
  database: Parameters<typeof startAcme>[0],
  { config = {}, edge: more = {} }: { config?: Partial<PanelConfigInput>; edge?: object } = {},
) {
  const clock = new MovableClock(Date.UTC(2026, 5, 3, 10))
  const world = await startAcme(database, { clock, config })
  const register = async (name: string, wanted: object = {}) => {
    const made = await world.acme.createForeignEdge({ body: { name, base, ...wanted } })
    const config = { verifyUrl: made.verifyUrl, reportUrl: made.reportUrl, secret: made.credential }
    return { ...made, edge: new ContractEdge(config), config }
  }
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie: bob.cookie, origin: new URL(world.api).origin, 'x-pharos-workspace': 'bobs' },
  })
  const { token: bobsKey } = (await reply.json()) as { token: string }
  return {
    ...world,
    [Symbol.asyncDispose]: world[Symbol.asyncDispose],
    clock,
    register,
    bob,
    bobsKey,
    bobs: world.client(bobsKey),
    ...(await register('paris', more)),
    listed: async (id: string) => (await world.acme.foreignEdges()).edges.find((one) => one.id === id),
  }
}

testOnSqlite('an edge of others finds here whose tokens it was shown, and nothing of anybody else', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, clock, config } = world
  // Before anybody has shown it a token, it serves nobody.
  assert.deepEqual((await edge.hostnames('acme')).status, 404)
  assert.deepEqual((await edge.resolve(`web-acme.${base}`)).status, 404)

  assert.equal(await edge.verify(key), 'acme')
  assert.deepEqual((await edge.hostnames('acme')).body, {
    primary_slug: 'acme',
    slugs: ['acme'],
    shape: 'hyphen',
    domains: [],
    primary_host: base,
  })
  assert.deepEqual((await edge.resolve(`WEB-acme.${base}.`)).body, {
    slug: 'acme',
    cert_mode: 'on_demand',
    tunnel: 'web',
  })
  for (const host of [
    `web-bobs.${base}`,
    `acme.${base}`,
    `-acme.${base}`,
    `a.b-acme.${base}`,
    base,
    'web-acme.evil.org',
  ])
    notFound((await edge.resolve(host)).body)
  notFound((await edge.hostnames('bobs')).body)

  // Each refusal in the same words, whatever is wrong with the token.
  const made = await acme.createToken({ body: { expiresAt: new Date(clock.now() + hourMs).toISOString() } })
  const gone = await acme.createToken({ body: {} })
  await acme.revokeToken({ params: { id: gone.id } })
  assert.equal(await edge.verify(made.token), 'acme')
  clock.advance(hourMs)
  const refusals = new Set<string>()
  for (const token of ['', 'phk_never', gone.token, made.token, 'x'.repeat(100_000), '\u0000']) {
    const began = performance.now()
    const { status, body } = await edge.ask('POST', config.verifyUrl, { token, from: 'a newer edge' })
    refusals.add(`${status} ${JSON.stringify(body)}`)
    // None leaves before the others would, so its time tells nothing either.
    assert.ok(performance.now() - began >= 20, token.slice(0, 20))
  }
  assert.deepEqual([...refusals], ['404 {"error":"not_found","message":"Token not found"}'])

  await acme.putWorkspacePlan({ params: { slug: 'bobs' }, body: { suspended: true } })
  assert.equal(await edge.verify(world.bobsKey), null)
  assert.equal((await edge.hostnames('bobs')).status, 404)
})

testOnSqlite('nobody is an edge by another one’s credential, an old one, or a key', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, config, register } = world
  for (const secret of ['', 'phf_never', key, 'x'.repeat(600)]) {
    const { status, body } = await edge.ask('POST', config.verifyUrl, { token: key }, secret)
    assert.equal(status, 401, secret)
    assert.equal((body as { error: string }).error, 'unauthorized')
  }
  assert.equal((await fetch(config.verifyUrl, { method: 'POST' })).status, 401)
  assert.equal((await edge.ask('POST', config.verifyUrl, '{"token":')).status, 400)
  assert.equal((await edge.ask('POST', config.verifyUrl, { token: 1 })).status, 400)
  // An edge's credential opens nothing else.
  assert.equal((await edge.ask('GET', `${world.api}/workspace`)).status, 401)

  const { id } = world
  const renewed = await acme.renewForeignEdge({ params: { edge: id } })
  await assert.rejects(edge.verify(key), /401/)
  const again = new ContractEdge({ ...config, secret: renewed.credential })
  assert.equal(await again.verify(key), 'acme')
  await acme.deleteForeignEdge({ params: { edge: id } })
  await assert.rejects(again.verify(key), /401/)
  await assert.rejects(acme.deleteForeignEdge({ params: { edge: id } }), { code: 'not_found' })
  await assert.rejects(acme.renewForeignEdge({ params: { edge: id } }), { code: 'not_found' })

  await register('frankfurt')
  await assert.rejects(register('frankfurt'), { code: 'conflict' })
  await assert.rejects(register('nowhere', { workspaces: ['nobody'] }), { code: 'not_found' })
  await assert.rejects(register('flat', { shape: 'flat' }), { code: 'invalid_request' })
  await assert.rejects(register('odd', { base: 'not a host' }), { code: 'invalid_request' })
  await assert.rejects(world.client(world.bob.key).foreignEdges(), { code: 'forbidden' })
  // Who guesses is slowed down, and an edge with its credential is not.
  const statuses = new Set<number>()
  for (let i = 0; i < 30; i++) statuses.add((await edge.ask('POST', config.verifyUrl, { token: key }, 'guess')).status)
  assert.deepEqual([...statuses], [401, 429])
  assert.equal(await (await register('berlin')).edge.verify(key), 'acme')
})

testOnSqlite('an edge that was given to some workspaces turns away the others’ tokens', async (db) => {
  await using world = await startWorld(db, { edge: { workspaces: ['bobs'], shape: 'subdomain' } })
  const { edge, key, bobsKey, register } = world
  assert.equal(await edge.verify(key), null)
  assert.equal(await edge.verify(bobsKey), 'bobs')
  assert.deepEqual((await edge.resolve(`web.bobs.${base}`)).body, {
    slug: 'bobs',
    cert_mode: 'on_demand',
    tunnel: 'web',
  })
  assert.equal(((await edge.hostnames('bobs')).body as { primary_host: string }).primary_host, `bobs.${base}`)
  assert.equal((await edge.resolve(`web.acme.${base}`)).status, 404)
  assert.equal((await edge.resolve(`web-bobs.${base}`)).status, 404)

  // Names of shape flat name no workspace, so such an edge has one.
  const flat = await register('flat', { shape: 'flat', base: 'flat.example.org', workspaces: ['acme'] })
  assert.equal((await flat.edge.resolve('web.flat.example.org')).status, 404)
  assert.equal(await flat.edge.verify(key), 'acme')
  assert.equal(((await flat.edge.resolve('web.flat.example.org')).body as { slug: string }).slug, 'acme')
  assert.equal((await flat.edge.resolve('a.web.flat.example.org')).status, 404)
})

testOnEachDatabase('what it reports is in the usage, once, however often it is sent', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, clock, id } = world
  assert.equal(await edge.verify(key), 'acme')
  const now = clock.now()
  const host = `web-acme.${base}`
  const socket = { is_websocket: true, connection_id: 'c-1', status: 101 }
  edge.log.push(
    aRequest(host, 'acme', now),
    aRequest(`API-acme.${base}`, 'acme', now - dayMs),
    // Windows of one connection, of which the first was yesterday: bytes of each on its day, one request.
    aRequest(host, 'acme', now - dayMs + minuteMs, { ...socket, outcome: 'in_progress' }),
    aRequest(host, 'acme', now, { ...socket, outcome: 'in_progress' }),
    aRequest(host, 'acme', now, socket),
    // Nobody's: nobody pays for it, and it is no fault.
    { ...aRequest(`gone-acme.${base}`, 'acme', now, { outcome: 'no_route', status: 404 }), slug: '' },
  )
  assert.deepEqual(await edge.ship(), { status: 200, body: { ok: true, accepted: 6 } })
  const first = await acme.usage({ query: { days: '7' } })
  assert.equal(first.totalBytes, 5 * 1100)
  assert.equal(first.bytesIn, 500)
  assert.equal(first.requests, 3)
  assert.equal(first.eventCount, 3)
  assert.deepEqual(
    first.series.map(({ day, bytes, requests }) => [day.slice(0, 10), bytes, requests]),
    [
      ['2026-06-02', 2200, 2],
      ['2026-06-03', 3300, 1],
    ],
  )
  assert.deepEqual(
    first.tunnels.map(({ name, bytes }) => [name, bytes]),
    [
      [host, 4400],
      [`api-acme.${base}`, 1100],
    ],
  )

  // The answer was lost, or the edge was killed: the same again, whole, in other pieces, and twice in one.
  edge.forgetCursor()
  edge.log.push(edge.log[0])
  for (let i = 0; i < 3; i++) await edge.ship(3)
  assert.equal(edge.shipped, 7)
  assert.deepEqual(await acme.usage({ query: { days: '7' } }), first)
  assert.equal((await world.bobs.usage()).totalBytes, 0)
  const listed = await world.listed(id)
  assert.deepEqual([listed?.accepted, listed?.dropped, listed?.serves], [13, 0, ['acme']])

  // And reports of one id at the same moment.
  const twin = aRequest(host, 'acme', now)
  await Promise.all([1, 2, 3].map(() => edge.ask('POST', world.config.reportUrl, { events: [twin] })))
  assert.equal((await acme.usage()).requests, 4)
  // What it counted stays when it is gone.
  await acme.deleteForeignEdge({ params: { edge: id } })
  assert.equal((await acme.usage()).requests, 4)
})

testOnEachDatabase(
  'a record that cannot be kept is set aside alone, whatever a visitor wrote into it (S14)',
  async (db) => {
    await using world = await startWorld(db)
    const { acme, edge, key, clock, id, config } = world
    await edge.verify(key)
    const now = clock.now()
    const host = `web-acme.${base}`
    const good = (more: object) => aRequest(host, 'acme', now, more)
    edge.log.push(
      good({ connection_id: '', path: '/%00', user_agent: 'U'.repeat(8192) }),
      good({ path: '/\u0000\u0007', referer: '\ud800 half a pair', user_agent: { toString: 1 } }),
      good({ path: `/${'x'.repeat(2_000_000)}\\"`, user_agent: '\u00e4\u00f6'.repeat(5_000) }),
      good({ request_id: '' }),
      good({ request_id: 'nul\u0000' }),
      good({ bytes_out: -1 }),
      good({ bytes_in: 2 ** 52 }),
      good({ bytes_in: '12' }),
      good({ ended_at: 'yesterday' }),
      good({ ended_at: nanoseconds(now - 9 * dayMs), started_at: nanoseconds(now - 9 * dayMs) }),
      good({ ended_at: nanoseconds(now + 3 * dayMs) }),
      good({ started_at: nanoseconds(now + hourMs) }),
      good({ __proto__: null, constructor: 1 }),
      null,
      'text',
      [],
    )
    assert.deepEqual(await edge.ship(), { status: 200, body: { ok: true, accepted: 4, dropped: 12 } })
    assert.equal(edge.shipped, edge.log.length)
    const usage = await acme.usage()
    assert.deepEqual([usage.requests, usage.totalBytes], [4, 4 * 1100])
    const listed = await world.listed(id)
    assert.deepEqual([listed?.accepted, listed?.dropped], [4, 12])
    assert.match(listed?.lastDropped ?? '', /^the record: .+\(2026-06-03T10:00:00\.000Z\)$/)
    // What is no report at all is refused; an empty one is none of the edge's faults.
    for (const body of ['{"events":', '[]', '{"events":{}}', 'null'])
      assert.equal((await edge.ask('POST', config.reportUrl, body)).status, 400, body)
    assert.deepEqual((await edge.ask('POST', config.reportUrl, { events: [] })).body, { ok: true, accepted: 0 })
  },
)

testOnEachDatabase(
  'an edge’s word counts only for workspaces that have shown it a key, and for their names (S23)',
  async (db) => {
    await using world = await startWorld(db)
    const { acme, bobs, edge, key, bobsKey, clock, config, register } = world
    await edge.verify(key)
    const now = clock.now()
    const forged = (host: string, slug: string) => aRequest(host, slug, now)
    const report = (by: ContractEdge, events: unknown[]) => by.ask('POST', config.reportUrl, { events })
    assert.deepEqual(
      (
        await report(edge, [
          forged(`web-bobs.${base}`, 'bobs'),
          forged(`web-acme.${base}`, 'bobs'),
          forged(`web-bobs.${base}`, 'acme'),
          forged('web-acme.elsewhere.org', 'acme'),
          forged(base, 'acme'),
          forged(`web-acme.${base}`, 'nobody'),
        ])
      ).body,
      { ok: true, accepted: 0, dropped: 6 },
    )
    assert.equal((await bobs.usage()).totalBytes + (await acme.usage()).totalBytes, 0)
    // Another edge has its own ids: what one has counted hides nothing of the other's.
    const other = await register('other')
    await other.edge.verify(bobsKey)
    const same = forged(`web-bobs.${base}`, 'bobs')
    assert.deepEqual((await report(other.edge, [same])).body, { ok: true, accepted: 1 })
    await edge.verify(bobsKey)
    assert.deepEqual((await report(edge, [same])).body, { ok: true, accepted: 1 })
    assert.equal((await bobs.usage()).requests, 2)
    // However much it makes up, a workspace's usage stays readable.
    const huge = () => ({ ...forged(`web-bobs.${base}`, 'bobs'), bytes_in: 2 ** 40, bytes_out: 2 ** 40 })
    for (let i = 0; i < 3; i++) await report(edge, Array.from({ length: 400 }, huge))
    assert.ok((await bobs.usage()).totalBytes >= 2 ** 47)
  },
)

testOnSqlite('random names cost a workspace’s budget of certificates and nobody else’s (S12)', async (db) => {
  await using world = await startWorld(db)
  const { edge, key, bobsKey } = world
  await edge.verify(key)
  await edge.verify(bobsKey)
  assert.ok(await edge.mayOrder(`web-acme.${base}`))
  let ordered = 0
  for (let i = 0; i < 300; i++) if (await edge.mayOrder(`r${i}-acme.${base}`)) ordered++
  assert.equal(ordered, 49)
  // Names that were good stay good, and the neighbour's budget is its own.
  assert.ok(await edge.mayOrder(`web-acme.${base}`))
  assert.ok(await edge.mayOrder(`web-bobs.${base}`))
  // Names with traffic need no budget.
  edge.log.push(aRequest(`busy-acme.${base}`, 'acme', world.clock.now()))
  await edge.ship()
  assert.ok(await edge.mayOrder(`busy-acme.${base}`))
  world.clock.advance(hourMs)
  assert.ok(await edge.mayOrder(`r299-acme.${base}`))
})

testOnSqlite('an edge that makes records up without end is held back, and no other one', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, clock, config, register, id } = world
  await edge.verify(key)
  const flood = await edge.ask('POST', config.reportUrl, { events: new Array(1_000_000).fill(0) })
  assert.deepEqual([flood.status, (flood.body as { error: string }).error], [429, 'rate_limited'])
  assert.ok(((await world.listed(id))?.dropped ?? 0) < 1_000_000)
  const other = await register('other')
  await other.edge.verify(key)
  other.edge.log.push(aRequest(`web-acme.${base}`, 'acme', clock.now()))
  assert.deepEqual((await other.edge.ship()).body, { ok: true, accepted: 1 })
  assert.equal((await acme.usage()).requests, 1)
})

testOnEachDatabase('the older kind of report counts too: of one period the largest, and nothing twice', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, clock } = world
  await edge.verify(key)
  const now = clock.now()
  const period = (bytes: number, start: number, end: number, active_tunnels = 2) => ({
    slug: 'acme',
    bytes,
    active_tunnels,
    period_start: new Date(start).toISOString(),
    period_end: new Date(end).toISOString(),
  })
  const first = period(1000, now - 2 * minuteMs, now - minuteMs)
  assert.deepEqual((await edge.usage([first])).body, { ok: true, accepted: 1 })
  // Its answer was lost: the same again, and then more since the same moment.
  await edge.usage([first])
  await edge.usage([period(2500, now - 2 * minuteMs, now, 5)])
  await edge.usage([period(700, now, now + minuteMs, 1)])
  const usage = await acme.usage()
  assert.deepEqual(
    [usage.totalBytes, usage.bytesOut, usage.peakTunnels, usage.requests, usage.eventCount],
    [3200, 3200, 5, 0, 0],
  )
  assert.deepEqual(
    usage.tunnels.map(({ name }) => name),
    ['*'],
  )
  const odd = await edge.usage([
    { ...first, slug: 'bobs' },
    { ...first, bytes: -1 },
    { ...first, period_end: '' },
    period(1, now, now - 1),
    7,
  ])
  assert.deepEqual(odd, { status: 200, body: { ok: true, accepted: 0, dropped: 5 } })
  assert.equal((await edge.usage('none')).status, 400)

  // An edge that has begun to report each request is not counted by its periods as well.
  clock.advance(hourMs)
  edge.log.push(aRequest(`web-acme.${base}`, 'acme', clock.now()))
  await edge.ship()
  clock.advance(minuteMs)
  await edge.usage([period(9999, clock.now() - minuteMs, clock.now() + 1, 9)])
  const later = await acme.usage()
  assert.deepEqual([later.totalBytes, later.peakTunnels], [3200 + 1100, 9])
})

testOnSqlite('records that are too old to be known again are forgotten, and not counted again', async (db) => {
  await using world = await startWorld(db)
  const { acme, edge, key, clock, database } = world
  await edge.verify(key)
  const old = aRequest(`web-acme.${base}`, 'acme', clock.now())
  edge.log.push(old)
  await edge.ship()
  const known = () => database.kysely.selectFrom('foreign_events').select('event_id').execute()
  assert.equal((await known()).length, 1)
  clock.advance(9 * dayMs)
  edge.log.push(aRequest(`web-acme.${base}`, 'acme', clock.now()))
  await edge.ship()
  assert.equal((await known()).length, 1)
  edge.forgetCursor()
  assert.deepEqual((await edge.ship()).body, { ok: true, accepted: 1, dropped: 1 })
  assert.equal((await acme.usage()).requests, 2)
})
