import assert from 'node:assert/strict'
import { testOnEachDatabase, testOnSqlite } from '../databases.ts'
import { addMember, MovableClock, startAcme } from '../world/panel.ts'

const secondMs = 1000
const minuteMs = 60 * secondMs

async function startWorld(database: Parameters<typeof startAcme>[0]) {
  const clock = new MovableClock()
  const world = await startAcme(database, { clock })
  const anybody = world.client()
  /** Polls as a terminal does: not sooner than it may. */
  const poll = (device_code: string) => {
    clock.advance(5 * secondMs)
    return anybody.pollDeviceSignIn({ body: { device_code } })
  }
  return {
    ...world,
    [Symbol.asyncDispose]: world[Symbol.asyncDispose],
    clock,
    anybody,
    poll,
    begin: (client?: string) => anybody.beginDeviceSignIn({ body: client === undefined ? {} : { client } }),
  }
}

testOnEachDatabase('a terminal gets a key of the workspace for which somebody approves it, once', async (database) => {
  await using world = await startWorld(database)
  const { acme, clock, begin, poll, account } = world
  const { device_code, user_code, verification_uri, expires_in, interval } = await begin('pharos on laptop')
  assert.match(user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  assert.equal(verification_uri, `${world.panel.url}/device`)
  assert.deepEqual([expires_in, interval], [600, 5])
  assert.deepEqual(await poll(device_code), { error: 'authorization_pending' })

  // As people type it.
  const typed = ` ${user_code.replace('-', ' ').toLowerCase()} `
  const asks = await acme.findDeviceSignIn({ body: { userCode: typed } })
  assert.equal(asks.client, 'pharos on laptop')
  assert.equal(asks.sameAddress, true)
  assert.equal(Date.parse(asks.expiresAt) - Date.parse(asks.createdAt), 10 * minuteMs)
  const { id } = await acme.approveDeviceSignIn({ body: { userCode: typed } })

  const given = await poll(device_code)
  assert.ok('access_token' in given)
  assert.deepEqual(
    { ...given, access_token: '', key_id: '' },
    {
      access_token: '',
      edge: '',
      scopes: [{ slug: 'acme', role: 'owner' }],
      user: account.email,
      key_id: '',
      expires_at: null,
    },
  )
  assert.equal((await world.client(given.access_token).workspace()).slug, 'acme')
  const { tokens } = await acme.tokens()
  assert.equal(tokens.find((token) => token.id === given.key_id)?.label, 'pharos on laptop')
  // Once.
  assert.deepEqual(await poll(device_code), { error: 'expired_token' })
  await assert.rejects(acme.approveDeviceSignIn({ body: { userCode: user_code } }), { code: 'not_found' })

  const { entries } = await acme.workspaceActivity({ query: {} })
  const fetched = entries.find(({ operation }) => operation === 'pollDeviceSignIn')
  assert.deepEqual([fetched?.subject, fetched?.email, fetched?.address], [given.key_id, account.email, '127.0.0.1'])
  const approvals = entries.filter(({ operation }) => operation === 'approveDeviceSignIn')
  assert.deepEqual(
    approvals.map(({ subject, outcome, email, permission }) => [subject, outcome, email, permission]),
    [
      [null, 'failed', account.email, 'tokens.create'],
      [id, 'done', account.email, 'tokens.create'],
    ],
  )
  // Nobody finds a code in the log of activity.
  const log = JSON.stringify(entries)
  for (const code of [device_code, user_code, given.access_token]) assert.ok(!log.includes(code))

  // A key that ends, and one made with another key, which ends no later than that one.
  const until = new Date(clock.now() + 60 * minuteMs).toISOString()
  const second = await begin()
  await acme.approveDeviceSignIn({ body: { userCode: second.user_code, expiresAt: until } })
  const ending = await poll(second.device_code)
  assert.ok('access_token' in ending)
  assert.equal(ending.expires_at, until)
  const third = await begin()
  await world.client(ending.access_token).approveDeviceSignIn({ body: { userCode: third.user_code } })
  const child = await poll(third.device_code)
  assert.ok('access_token' in child)
  assert.equal(child.expires_at, until)
})

testOnSqlite(
  'a terminal that is denied, too late, or asks too often is told so in the words of RFC 8628',
  async (database) => {
    await using world = await startWorld(database)
    const { acme, anybody, clock, begin, poll } = world
    const denied = await begin()
    await acme.denyDeviceSignIn({ body: { userCode: denied.user_code } })
    assert.deepEqual(await poll(denied.device_code), { error: 'access_denied' })
    await assert.rejects(acme.approveDeviceSignIn({ body: { userCode: denied.user_code } }), { code: 'not_found' })
    await assert.rejects(acme.denyDeviceSignIn({ body: { userCode: denied.user_code } }), { code: 'not_found' })

    const eager = await begin()
    const at = (seconds: number) => {
      clock.advance(seconds * secondMs)
      return anybody.pollDeviceSignIn({ body: { device_code: eager.device_code } })
    }
    assert.deepEqual(await at(0), { error: 'authorization_pending' })
    assert.deepEqual(await at(1), { error: 'slow_down' })
    // Five seconds more from now on, and each time that it does not listen.
    assert.deepEqual(await at(5), { error: 'slow_down' })
    assert.deepEqual(await at(14), { error: 'authorization_pending' })
    await acme.approveDeviceSignIn({ body: { userCode: eager.user_code } })
    assert.deepEqual(await at(1), { error: 'slow_down' })
    assert.ok('access_token' in (await at(20)))

    const late = await begin()
    const approvedLate = await begin()
    await acme.approveDeviceSignIn({ body: { userCode: approvedLate.user_code } })
    clock.advance(10 * minuteMs)
    await assert.rejects(acme.findDeviceSignIn({ body: { userCode: late.user_code } }), { code: 'not_found' })
    await assert.rejects(acme.approveDeviceSignIn({ body: { userCode: late.user_code } }), { code: 'not_found' })
    for (const code of [late.device_code, approvedLate.device_code, 'phd_never', late.user_code])
      assert.deepEqual(await poll(code), { error: 'expired_token' })
    assert.deepEqual((await acme.tokens()).tokens.length, 2)
  },
)

testOnSqlite('a key is given by who may give it at the moment at which it is fetched', async (database) => {
  await using world = await startWorld(database)
  const { acme, clock, begin, poll } = world
  const bob = await addMember(world, 'bob@example.com')
  const bobs = world.client(bob.key)
  const member = await begin()
  await bobs.approveDeviceSignIn({ body: { userCode: member.user_code } })
  const given = await poll(member.device_code)
  assert.ok('access_token' in given)
  assert.deepEqual(given.scopes, [{ slug: 'acme', role: 'member' }])

  const leaving = await begin()
  await bobs.approveDeviceSignIn({ body: { userCode: leaving.user_code } })
  await acme.removeMember({ params: { member: bob.userId } })
  assert.deepEqual(await poll(leaving.device_code), { error: 'access_denied' })

  // The key by which it was approved ends before it is fetched.
  const short = await acme.createToken({ body: { expiresAt: new Date(clock.now() + minuteMs).toISOString() } })
  const ended = await begin()
  await world.client(short.token).approveDeviceSignIn({ body: { userCode: ended.user_code } })
  clock.advance(minuteMs)
  assert.deepEqual(await poll(ended.device_code), { error: 'access_denied' })
  const past = new Date(clock.now()).toISOString()
  const other = await begin()
  await assert.rejects(acme.approveDeviceSignIn({ body: { userCode: other.user_code, expiresAt: past } }), {
    code: 'invalid_request',
  })
})

testOnSqlite('codes cannot be guessed, and whoever floods the panel with sign-ins is stopped', async (database) => {
  await using world = await startWorld(database)
  const { acme, anybody, begin, clock } = world
  const real = await begin()
  const codes = new Set<string>()
  for (let i = 0; i < 30; i++)
    await acme.findDeviceSignIn({ body: { userCode: 'BBBB-BBBB' } }).catch(({ code }) => codes.add(code))
  assert.deepEqual([...codes], ['not_found', 'rate_limited'])
  // Not even the right one is looked up any more, by whichever route.
  await assert.rejects(acme.findDeviceSignIn({ body: { userCode: real.user_code } }), { code: 'rate_limited' })
  await assert.rejects(acme.approveDeviceSignIn({ body: { userCode: real.user_code } }), { code: 'rate_limited' })
  await assert.rejects(acme.denyDeviceSignIn({ body: { userCode: real.user_code } }), { code: 'rate_limited' })
  clock.advance(15 * minuteMs)
  const later = await begin()
  await acme.denyDeviceSignIn({ body: { userCode: later.user_code } })

  let begun = 0
  for (let i = 0; i < 100; i++)
    await begin().then(
      () => begun++,
      ({ code }) => assert.equal(code, 'rate_limited'),
    )
  assert.ok(begun < 61, String(begun))
  clock.advance(15 * minuteMs)
  await assert.rejects(begin('two\nlines'), { code: 'invalid_request' })
  const turned = await begin('pharos \u202egro.live')
  assert.equal((await acme.findDeviceSignIn({ body: { userCode: turned.user_code } })).client, 'pharos gro.live')
  await assert.rejects(anybody.pollDeviceSignIn({ body: { device_code: 'x'.repeat(600) } }), {
    code: 'invalid_request',
  })
  await assert.rejects(anybody.findDeviceSignIn({ body: { userCode: later.user_code } }), { code: 'unauthorized' })
  await assert.rejects(anybody.approveDeviceSignIn({ body: { userCode: later.user_code } }), { code: 'unauthorized' })
})

testOnSqlite(
  'the command line of the edge contract finds its way, signs in, and learns its workspaces',
  async (database) => {
    await using world = await startWorld(database)
    const { acme, key } = world
    await acme.createForeignEdge({
      body: { name: 'paris', base: 'tunnels.example.org', address: 'paris.example.org:443' },
    })
    await acme.createWorkspace({ body: { name: 'Second', slug: 'second' } }).catch(() => undefined)
    const get = async (url: string, token?: string): Promise<unknown> =>
      (await fetch(url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })).json()
    const post = async (url: string, body: unknown): Promise<Record<string, unknown>> => {
      const reply = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      assert.equal(reply.status, 200)
      return (await reply.json()) as Record<string, unknown>
    }
    const found = (await get(`${world.panel.url}/.well-known/beam-auth`)) as Record<string, string>
    assert.deepEqual(Object.keys(found).sort(), ['device_code_url', 'token_url', 'verification_uri'])
    const begun = await post(found.device_code_url ?? '', {})
    const { device_code } = begun
    assert.deepEqual(await post(found.token_url ?? '', { device_code }), { error: 'authorization_pending' })
    await acme.approveDeviceSignIn({ body: { userCode: String(begun.user_code) } })
    world.clock.advance(5 * secondMs)
    const { access_token, edge, scopes } = await post(found.token_url ?? '', { device_code })
    assert.deepEqual([edge, scopes], ['paris.example.org:443', [{ slug: 'acme', role: 'owner' }]])
    assert.deepEqual(await get(`${world.panel.url}/api/scopes`, String(access_token)), {
      user: 'ada@example.com',
      scopes: [{ slug: 'acme', role: 'owner' }],
    })
    for (const token of [undefined, 'phk_never', `${key}x`]) {
      const reply = await fetch(`${world.panel.url}/api/scopes`, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
      assert.equal(reply.status, 401)
    }
  },
)
