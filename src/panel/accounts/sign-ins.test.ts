import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { addMember, MovableClock, owner, signIn, startAcme } from '../../../test/world/panel.ts'
import { attemptsPerAccountAndAddress } from './limits.ts'

type World = Awaited<ReturnType<typeof startAcme>>

/** A request as a browser's page of the panel makes it. */
async function ask(world: World, cookie: string, method: string, path: string, body?: unknown) {
  const reply = await fetch(world.api + path, {
    method,
    headers: {
      cookie,
      origin: new URL(world.api).origin,
      'user-agent': 'test browser',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: replies of many shapes
  return { status: reply.status, text: await reply.text(), headers: reply.headers } as any
}

const logOf = async (world: World, cookie: string) => {
  const { text } = await ask(world, cookie, 'GET', '/account/activity')
  const { entries } = JSON.parse(text) as { entries: Record<string, unknown>[] }
  return { text, entries: entries.toReversed() }
}

testOnEachDatabase(
  'the log of an account has where it was signed in, or refused, and what became of its secrets',
  async (database) => {
    await using world = await startAcme(database)
    const wrong = 'not the password at all'
    await assert.rejects(signIn(world.api, owner.email, wrong))
    const first = await signIn(world.api, owner.email, owner.password)
    const second = await signIn(world.api, owner.email, owner.password)
    const next = 'another good password'
    await ask(world, second, 'PUT', '/account/password', { current: wrong, password: next })
    await ask(world, second, 'PUT', '/account/password', { current: owner.password, password: next })
    const made = JSON.parse((await ask(world, second, 'POST', '/tokens', { label: 'deploy' })).text)
    await ask(world, second, 'DELETE', `/tokens/${made.id}`)
    await ask(world, second, 'DELETE', '/sessions/current')
    const third = await signIn(world.api, owner.email, next)
    const { entries, text } = await logOf(world, third)
    assert.deepEqual(
      entries.map(({ operation, outcome, code }) => [operation, outcome, code]),
      [
        ['signIn', 'failed', 'unauthorized'],
        ['signIn', 'done', null],
        ['signIn', 'done', null],
        ['changePassword', 'denied', 'forbidden'],
        ['changePassword', 'done', null],
        ['createToken', 'done', null],
        ['revokeToken', 'done', null],
        ['signOut', 'done', null],
        ['signIn', 'done', null],
      ],
    )
    for (const entry of entries) {
      assert.equal(entry.address, '127.0.0.1')
      assert.equal(entry.email, owner.email)
      assert.equal(entry.userId, world.account.id)
    }
    assert.deepEqual([entries[0]?.via, entries[0]?.viaId], [null, null], 'who was refused came by nothing')
    assert.match(String(entries[1]?.viaId), /^ses_/)
    assert.equal(entries[1]?.via, 'session')
    assert.equal(entries[5]?.subject, made.id)
    assert.equal(entries[6]?.subject, made.id)
    for (const secret of [
      owner.password,
      next,
      wrong,
      made.token,
      ...[first, second, third].map((one) => one.split('=')[1] ?? ''),
    ])
      assert.ok(secret !== '' && !text.includes(secret), 'a secret is in the log')
    // Making and revoking keys is the workspace's business as well; signing in is not.
    const workspace = await world.acme.workspaceActivity({})
    const seen = new Set(workspace.entries.map(({ operation }) => operation))
    assert.ok(seen.has('createToken') && seen.has('revokeToken'))
    assert.ok(!seen.has('signIn'))
  },
)

testOnEachDatabase(
  'nobody sees the sign-ins of somebody else, and trying addresses leaves nothing',
  async (database) => {
    await using world = await startAcme(database)
    const max = await addMember(world, 'max@example.com')
    await assert.rejects(signIn(world.api, owner.email, 'wrong password'))
    await assert.rejects(signIn(world.api, 'nobody@example.com', 'wrong password'))
    const { entries } = await logOf(world, max.cookie)
    assert.deepEqual([...new Set(entries.map(({ userId }) => userId))], [max.userId])
    assert.ok(entries.some(({ operation, outcome }) => operation === 'acceptInvitation' && outcome === 'done'))
    const rows = await world.database.kysely.selectFrom('activity').selectAll().execute()
    assert.ok(!JSON.stringify(rows).includes('nobody@example.com'))
  },
)

testOnEachDatabase('who guesses fills no log: refusals for asking too often are not in it', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  for (let tries = 0; tries < attemptsPerAccountAndAddress + 5; tries += 1)
    await assert.rejects(signIn(world.api, owner.email, `guess number ${tries}`))
  clock.advance(24 * 60 * 60_000)
  const cookie = await signIn(world.api, owner.email, owner.password)
  const { entries } = await logOf(world, cookie)
  assert.equal(entries.filter(({ outcome }) => outcome === 'failed').length, attemptsPerAccountAndAddress)
})
