import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { asBrowser, turnOnSecondFactor } from '../../../test/world/browser-session.ts'
import { MovableClock, owner, signIn, startAcme } from '../../../test/world/panel.ts'

const stepMs = 30_000
const { email, password } = owner

testOnEachDatabase('signing in takes two steps once a code was confirmed, and not before', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const ask = (cookie: string, method: string, path: string, body?: unknown) =>
    asBrowser(world.api, cookie, method, path, body)
  const cookie = await signIn(world.api, email, password)
  const off = await ask(cookie, 'GET', '/account/two-factor')
  assert.deepEqual(off.body, { enabled: false, enabledAt: null, recoveryCodesLeft: 0 })
  const unconfirmed = await ask(cookie, 'POST', '/account/two-factor', { password })
  assert.match(unconfirmed.body.secret, /^[A-Z2-7]{32}$/)
  assert.match(unconfirmed.body.url, /^otpauth:\/\/totp\/Pharos:ada%40example\.com\?.*secret=[A-Z2-7]{32}/)
  assert.equal((await ask('', 'POST', '/sessions', { email, password })).body.email, email)

  const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
  assert.equal(app.recoveryCodes.length, 10)
  const on = await ask(cookie, 'GET', '/account/two-factor')
  assert.deepEqual(on.body, { enabled: true, enabledAt: new Date(clock.now()).toISOString(), recoveryCodesLeft: 10 })
  clock.advance(stepMs)
  const first = await ask('', 'POST', '/sessions', { email, password })
  assert.equal(first.cookie, '')
  assert.deepEqual(Object.keys(first.body), ['secondFactor'])
  const { challenge } = first.body.secondFactor
  const second = await ask('', 'POST', '/sessions/second-factor', { challenge, code: app.code(clock.now()) })
  assert.equal(second.body.email, email)
  assert.equal((await ask(second.cookie, 'GET', '/account')).status, 200)
})

testOnEachDatabase(
  'setting up refuses a wrong password, a wrong code, a code of before, and twice',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const cookie = await signIn(world.api, email, password)
    const ask = (path: string, body: unknown) =>
      asBrowser(world.api, cookie, 'POST', `/account/two-factor${path}`, body)
    assert.equal((await ask('/confirm', { code: '123456' })).status, 409)
    assert.equal((await ask('', { password: 'not the password' })).status, 403)
    assert.equal((await ask('', { password })).status, 200)
    assert.equal((await ask('/confirm', { code: 'abcd-efgh' })).status, 403)
    assert.equal((await ask('/disable', { password, code: '123456' })).status, 409)
    assert.equal((await ask('/recovery-codes', { password, code: '123456' })).status, 409)
    // Another secret takes the place of one that was never confirmed.
    const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
    assert.equal((await ask('', { password })).status, 409)
    assert.equal((await ask('/confirm', { code: app.code(clock.now() + stepMs) })).status, 409)
  },
)

testOnEachDatabase('turning it off, and new recovery codes, take the password and a fresh code', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const cookie = await signIn(world.api, email, password)
  const ask = (path: string, body: unknown) => asBrowser(world.api, cookie, 'POST', `/account/two-factor${path}`, body)
  const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
  for (const path of ['/disable', '/recovery-codes']) {
    // The code that turned it on is used up.
    assert.equal((await ask(path, { password, code: app.code(clock.now()) })).status, 403)
    assert.equal((await ask(path, { password, code: 'never-was-a-code' })).status, 403)
    assert.equal((await ask(path, { password: 'wrong', code: app.recoveryCodes[0] })).status, 403)
    assert.equal((await ask(path, { password })).status, 400)
  }
  clock.advance(stepMs)
  const renewed = await ask('/recovery-codes', { password, code: app.code(clock.now()) })
  assert.equal(renewed.body.recoveryCodes.length, 10)
  assert.equal((await ask('/disable', { password, code: app.recoveryCodes[0] })).status, 403)
  const off = await ask('/disable', {
    password,
    code: renewed.body.recoveryCodes[0].toUpperCase().replaceAll('-', ' '),
  })
  assert.deepEqual(off.body, { enabled: false })
  assert.match(await signIn(world.api, email, password), /^pharos_session=/)
  assert.deepEqual(await world.database.kysely.selectFrom('recovery_codes').selectAll().execute(), [])
})

testOnEachDatabase('an invitation for a known account is not a way around the second factor', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const invite = async (to: string) => {
    const { url } = await world.acme.createInvitation({ body: { email: to } })
    return new URL(url ?? '').hash.slice(1)
  }
  const accept = (body: object) => asBrowser(world.api, '', 'POST', '/invitations/accept', { password, ...body })
  const max = 'max@example.com'
  const { cookie } = await accept({ secret: await invite(max) })
  const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
  const { members } = await world.acme.members()
  const { id } = members.find((member) => member.email === max) ?? assert.fail()
  await world.acme.removeMember({ params: { member: id } })
  const secret = await invite(max)
  clock.advance(stepMs)
  const without = await accept({ secret })
  assert.equal(without.status, 400)
  assert.equal(without.cookie, '')
  assert.equal(without.body.details[0].where, 'body.code')
  const wrong = await accept({ secret, code: app.code(clock.now() - stepMs) })
  assert.deepEqual([wrong.status, wrong.cookie], [401, ''])
  const joined = await accept({ secret, code: app.code(clock.now()) })
  assert.equal(joined.body.workspaces[0].slug, 'acme')
  assert.notEqual(joined.cookie, '')
})

testOnEachDatabase('the log of an account has each step, right and wrong, and no code', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const cookie = await signIn(world.api, email, password)
  const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
  clock.advance(stepMs)
  const step = async (code: string) => {
    const { body } = await asBrowser(world.api, '', 'POST', '/sessions', { email, password })
    return asBrowser(world.api, '', 'POST', '/sessions/second-factor', { challenge: body.secondFactor.challenge, code })
  }
  assert.equal((await step('000 00')).status, 401)
  assert.equal((await step(app.code(clock.now()))).status, 200)
  const recovery = app.recoveryCodes[0] ?? ''
  await asBrowser(world.api, cookie, 'POST', '/account/two-factor/disable', { password, code: recovery })
  const { body } = await asBrowser(world.api, cookie, 'GET', '/account/activity')
  assert.deepEqual(
    body.entries.map(({ operation, outcome }: Record<string, string>) => [operation, outcome]).toReversed(),
    [
      ['signIn', 'done'],
      ['beginTwoFactor', 'done'],
      ['confirmTwoFactor', 'done'],
      ['signIn', 'done'],
      ['secondFactor', 'failed'],
      ['signIn', 'done'],
      ['secondFactor', 'done'],
      ['disableTwoFactor', 'done'],
    ],
  )
  assert.ok(!JSON.stringify(body).includes(recovery))
})

testOnEachDatabase(
  'an administrator turns off the factor of somebody who has lost it, and nobody else can',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const { url } = await world.acme.createInvitation({ body: { email: 'max@example.com' } })
    const joined = await asBrowser(world.api, '', 'POST', '/invitations/accept', {
      secret: new URL(url ?? '').hash.slice(1),
      password,
    })
    const find = async (search: string) => (await world.acme.users({ query: { search } })).users
    const [max] = await find('MAX@')
    assert.ok(max)
    assert.deepEqual(
      [max.secondFactor, max.instanceAdmin, max.workspaces.map(({ slug }) => slug)],
      [false, false, ['acme']],
    )
    assert.deepEqual(await find('%'), [])
    const reset = (cookie: string, user = max.id) =>
      asBrowser(world.api, cookie, 'DELETE', `/users/${user}/second-factor`)
    const admin = await signIn(world.api, email, password)
    assert.match(JSON.stringify((await reset(admin)).body), /max@example.com has no second factor/)
    await turnOnSecondFactor(world.api, joined.cookie, password, clock.now())
    assert.equal((await find('max'))[0]?.secondFactor, true)
    assert.equal((await reset(joined.cookie)).status, 403)
    assert.equal((await asBrowser(world.api, joined.cookie, 'GET', '/users')).status, 403)
    assert.equal((await reset('')).status, 401)
    assert.equal((await reset(admin, 'usr_0000000000000000')).status, 404)
    assert.equal((await reset(admin)).status, 200)
    assert.equal((await asBrowser(world.api, joined.cookie, 'GET', '/account')).status, 401)
    assert.match(await signIn(world.api, 'max@example.com', password), /^pharos_session=/)
    assert.equal((await reset(admin)).status, 409)
  },
)

testOnEachDatabase('what is kept is neither the secret nor a recovery code', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const cookie = await signIn(world.api, email, password)
  const { body } = await asBrowser(world.api, cookie, 'POST', '/account/two-factor', { password })
  const rows = JSON.stringify(await world.database.kysely.selectFrom('two_factor').selectAll().execute())
  assert.ok(!rows.includes(body.secret) && rows.includes('v1.'), rows)
  const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
  const codes = JSON.stringify(await world.database.kysely.selectFrom('recovery_codes').selectAll().execute())
  for (const code of app.recoveryCodes) assert.ok(!codes.includes(code) && !codes.includes(code.replaceAll('-', '')))
})
