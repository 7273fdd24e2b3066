import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { addMember, MovableClock, owner, signIn, startAcme } from '../../../test/world/panel.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

testOnEachDatabase('answers GET /workspace with the fields of the API document', async (database) => {
  await using world = await startAcme(database)
  const reply = await fetch(`${world.api}/workspace`, { headers: bearer(world.key) })
  const { role, createdAt, ...seed } = (await reply.json()) as Record<string, unknown>
  assert.equal(reply.status, 200)
  assert.deepEqual(seed, { slug: 'acme', name: 'Acme Inc', provisioned: false, tunnelBase: 'acme.localhost' })
  assert.deepEqual([role, typeof createdAt], ['owner', 'string'])
})

testOnEachDatabase('lists keys newest first, revoked ones too, and never a secret', async (database) => {
  const clock = new MovableClock(Date.UTC(2026, 5, 1, 12))
  await using world = await startAcme(database, { clock })
  clock.advance(1000)
  const made = await world.acme.createToken({ body: { label: 'ci' } })
  assert.deepEqual(Object.keys(made).sort(), ['createdAt', 'expiresAt', 'id', 'label', 'token'])
  assert.match(made.token, /^phk_[\w-]{43}$/)
  assert.equal(made.createdAt, '2026-06-01T12:00:01.000Z')
  const used = await world.client(made.token).workspace()
  assert.equal(used.slug, 'acme')
  await world.acme.revokeToken({ params: { id: made.id } })
  const reply = await fetch(`${world.api}/tokens`, { headers: bearer(world.key) })
  const text = await reply.text()
  const [first, second] = JSON.parse(text).tokens
  assert.deepEqual(first, {
    id: made.id,
    label: 'ci',
    createdAt: '2026-06-01T12:00:01.000Z',
    lastUsedAt: '2026-06-01T12:00:01.000Z',
    revokedAt: '2026-06-01T12:00:01.000Z',
    expiresAt: null,
    createdBy: owner.email,
  })
  assert.equal(second.label, 'setup')
  assert.equal(second.lastUsedAt, '2026-06-01T12:00:01.000Z')
  assert.ok(!text.includes(made.token) && !text.includes(world.key))
})

testOnEachDatabase(
  'makes a key without a body, and refuses a label that is too long, of the wrong type or unknown fields',
  async (database) => {
    await using world = await startAcme(database)
    const post = (body: string | null, type = 'application/json') =>
      fetch(`${world.api}/tokens`, { method: 'POST', headers: { ...bearer(world.key), 'content-type': type }, body })
    const bare = await fetch(`${world.api}/tokens`, { method: 'POST', headers: bearer(world.key) })
    assert.equal(bare.status, 200)
    assert.equal(((await bare.json()) as { label: unknown }).label, null)
    for (const bad of [
      { label: 'x'.repeat(81) },
      { label: 7 },
      { label: 'a\nb' },
      { lable: 'ci' },
      { expiresAt: 'soon' },
      { expiresAt: '2001-01-01T00:00:00.000Z' },
    ]) {
      const reply = await post(JSON.stringify(bad))
      const body = (await reply.json()) as { error: string; details: { where: string }[] }
      assert.equal(reply.status, 400, JSON.stringify(bad))
      assert.equal(body.error, 'invalid_request')
      assert.ok(
        body.details.length > 0 && body.details.every(({ where }) => where.startsWith('body')),
        JSON.stringify(body),
      )
    }
    assert.equal((await post('{"label":')).status, 400)
  },
)

testOnEachDatabase('answers 404 for a key that is missing, foreign, or already revoked', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com')
  const elsewhere = await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  assert.equal(elsewhere.slug, 'bobs')
  const origin = new URL(world.api).origin
  const foreign = (await (
    await fetch(`${world.api}/tokens`, {
      method: 'POST',
      headers: { cookie: bob.cookie, origin, 'x-pharos-workspace': 'bobs' },
    })
  ).json()) as { id: string; token: string }
  const mine = await world.acme.createToken()
  assert.deepEqual(await world.acme.revokeToken({ params: { id: mine.id } }), { id: mine.id, revoked: true })
  const replies = []
  for (const id of ['tok_nothing', foreign.id, mine.id]) {
    const reply = await fetch(`${world.api}/tokens/${id}`, { method: 'DELETE', headers: bearer(world.key) })
    const { message, ...rest } = (await reply.json()) as Record<string, string>
    replies.push({ status: reply.status, ...rest, message: message?.replace(id, 'ID') })
  }
  assert.deepEqual(replies[0], { status: 404, error: 'not_found', message: 'Key ID not found' })
  assert.deepEqual(replies[1], replies[0])
  assert.deepEqual(replies[2], replies[0])
  assert.equal((await world.client(foreign.token).workspace()).slug, 'bobs')
})

testOnEachDatabase('lets a key revoke itself, after which it opens nothing', async (database) => {
  await using world = await startAcme(database)
  const { id, token } = await world.acme.createToken()
  const client = world.client(token)
  await client.workspace()
  await client.revokeToken({ params: { id } })
  await assert.rejects(client.workspace(), { code: 'unauthorized' })
  await assert.rejects(client.revokeToken({ params: { id } }), { code: 'unauthorized' })
})

testOnEachDatabase('lets one of two revocations at the same moment succeed', async (database) => {
  await using world = await startAcme(database)
  const { id } = await world.acme.createToken()
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => world.acme.revokeToken({ params: { id } })))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

testOnEachDatabase('refuses an expired key with the words of an unknown one', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const expiresAt = new Date(clock.now() + 60_000).toISOString()
  const { token } = await world.acme.createToken({ body: { expiresAt } })
  await world.client(token).workspace()
  clock.advance(60_000)
  const replies = await Promise.all(
    [token, 'phk_nobody', ''].map(async (key) => {
      const reply = await fetch(`${world.api}/workspace`, { headers: { authorization: `Bearer ${key}` } })
      return [reply.status, await reply.json()]
    }),
  )
  assert.deepEqual(replies[0], replies[1])
  assert.deepEqual(replies[2], replies[1])
  const [status, body] = replies[0] as [number, { error: string; message: string }]
  assert.equal(status, 401)
  assert.equal(body.error, 'unauthorized')
  assert.ok(body.message)
})

testOnEachDatabase('lets a member revoke their own keys, not those of others', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com')
  const carol = await addMember(world, 'carol@example.com', 'admin')
  const { tokens } = await world.client(bob.key).tokens()
  const of = (email: string) => tokens.find(({ createdBy }) => createdBy === email)?.id ?? ''
  await assert.rejects(world.client(bob.key).revokeToken({ params: { id: of('carol@example.com') } }), {
    code: 'forbidden',
  })
  await world.client(carol.key).revokeToken({ params: { id: of('bob@example.com') } })
  await assert.rejects(world.client(bob.key).workspace(), { code: 'unauthorized' })
})

testOnEachDatabase(
  'keeps no secret in any row: not of keys, sessions, invitations, set-up, nor a password',
  async (database) => {
    await using world = await startAcme(database)
    const { token } = await world.acme.createToken()
    const { url } = await world.acme.createInvitation({ body: { email: 'x@example.com' } })
    const cookie = await signIn(world.api, owner.email, owner.password)
    const { credential } = await world.acme.createEdge({ body: { name: 'edge' } })
    const secrets = [token, world.key, url?.split('#')[1] ?? '', cookie.split('=')[1] ?? '', owner.password, credential]
    let rows = ''
    for (const table of [
      'users',
      'sessions',
      'settings',
      'workspaces',
      'members',
      'invitations',
      'tokens',
      'edges',
    ] as const)
      rows += JSON.stringify(await world.database.kysely.selectFrom(table).selectAll().execute())
    assert.ok(rows.includes(owner.email))
    for (const secret of secrets) assert.ok(secret.length > 9 && !rows.includes(secret), 'a secret is stored')
  },
)

testOnEachDatabase('lets no key make one that outlives it', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const at = (ms: number) => new Date(clock.now() + ms).toISOString()
  const parent = await world.acme.createToken({ body: { expiresAt: at(60_000) } })
  const client = world.client(parent.token)
  assert.equal((await client.createToken()).expiresAt, parent.expiresAt)
  assert.equal((await client.createToken({ body: { expiresAt: at(1000) } })).expiresAt, at(1000))
  await assert.rejects(client.createToken({ body: { expiresAt: at(60_001) } }), { code: 'forbidden' })
})
