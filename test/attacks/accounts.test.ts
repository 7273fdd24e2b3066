import assert from 'node:assert/strict'
import { publicOperations } from '../../src/contract/api/index.ts'
import type { Operation } from '../../src/contract/operation.ts'
import { samples } from '../conformance/samples.ts'
import { testOnEachDatabase } from '../databases.ts'
import { type Mischief, SoftwarePasskey } from '../world/authenticator.ts'
import { type Answer, asBrowser, turnOnSecondFactor } from '../world/browser-session.ts'
import { addMember, MovableClock, owner, signIn, startAcme } from '../world/panel.ts'

const { email, password } = owner
const stepMs = 30_000
const minuteMs = 60_000

type World = Awaited<ReturnType<typeof startAcme>>

/** What the first step answers to the right password. */
async function challengeOf(world: World): Promise<string> {
  const { body, cookie } = await asBrowser(world.api, '', 'POST', '/sessions', { email, password })
  assert.equal(cookie, '')
  return body.secondFactor.challenge
}

const secondStep = (world: World, challenge: string, code: string): Promise<Answer> =>
  asBrowser(world.api, '', 'POST', '/sessions/second-factor', { challenge, code })

const statuses = (answers: Answer[]): number[] => answers.map(({ status }) => status).sort()

testOnEachDatabase(
  'a code works once, also where many send it at the same moment, and none before it works after it (CVE-2025-69197)',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const cookie = await signIn(world.api, email, password)
    const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
    clock.advance(2 * stepMs)
    const before = app.code(clock.now() - stepMs)
    const code = app.code(clock.now())
    const challenges = await Promise.all(Array.from({ length: 6 }, () => challengeOf(world)))
    const answers = await Promise.all(challenges.map((challenge) => secondStep(world, challenge, code)))
    assert.deepEqual(statuses(answers), [200, 401, 401, 401, 401, 401])
    assert.equal((await secondStep(world, await challengeOf(world), code)).status, 401)
    // Still within its time, but older than one that was used.
    assert.equal((await secondStep(world, await challengeOf(world), before)).status, 401)
    clock.advance(stepMs)
    assert.equal((await secondStep(world, await challengeOf(world), app.code(clock.now()))).status, 200)
  },
)

testOnEachDatabase(
  'the password alone opens nothing, and what it gives is for one account, one session and five minutes (CVE-2019-1020002)',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const cookie = await signIn(world.api, email, password)
    const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
    clock.advance(stepMs)
    const challenge = await challengeOf(world)
    for (const headers of [
      { cookie: `pharos_session=${challenge}` },
      { authorization: `Bearer ${challenge}` },
    ] as Record<string, string>[])
      assert.equal((await fetch(`${world.api}/account`, { headers })).status, 401)
    for (const forged of [`${challenge}x`, challenge.slice(0, -4), 'v1.AAAAAAAA.AAAA', email])
      assert.equal((await secondStep(world, forged, app.code(clock.now()))).status, 401)

    // Somebody else's code, and somebody else's challenge, do not fit.
    const max = await addMember(world, 'max@example.com')
    const other = await turnOnSecondFactor(world.api, max.cookie, 'max@example.com has a password', clock.now())
    assert.equal((await secondStep(world, challenge, other.recoveryCodes[0] ?? '')).status, 401)

    const entered = await secondStep(world, challenge, app.code(clock.now()))
    assert.equal(entered.body.email, email)
    clock.advance(stepMs)
    assert.equal((await secondStep(world, challenge, app.code(clock.now()))).status, 401)
    // The code that was refused with the used challenge is not used up by it.
    const late = await challengeOf(world)
    const early = await challengeOf(world)
    assert.equal((await secondStep(world, early, app.code(clock.now()))).status, 200)
    clock.advance(5 * minuteMs)
    assert.equal((await secondStep(world, late, app.code(clock.now()))).status, 401)

    const old = await challengeOf(world)
    const next = 'another good password'
    await asBrowser(world.api, cookie, 'PUT', '/account/password', { current: password, password: next })
    assert.equal((await secondStep(world, old, app.code(clock.now()))).status, 401)
  },
)

testOnEachDatabase('who has a second factor shows to nobody without the password (4a84c3600)', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const wrong = { email, password: 'not the password' }
  const before = await asBrowser(world.api, '', 'POST', '/sessions', wrong)
  await turnOnSecondFactor(world.api, await signIn(world.api, email, password), password, clock.now())
  const after = await asBrowser(world.api, '', 'POST', '/sessions', wrong)
  const nobody = await asBrowser(world.api, '', 'POST', '/sessions', { ...wrong, email: 'nobody@example.com' })
  assert.deepEqual(after, before)
  assert.deepEqual(nobody, before)
})

testOnEachDatabase(
  'wrong codes are counted for the account, from every address together, and for each address (design: guessing codes)',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock, config: { trustedProxies: ['127.0.0.1'] } })
    const cookie = await signIn(world.api, email, password)
    const app = await turnOnSecondFactor(world.api, cookie, password, clock.now())
    clock.advance(stepMs)
    const challenge = await challengeOf(world)
    const guess = async (address: string, code: string): Promise<number> => {
      const reply = await fetch(`${world.api}/sessions/second-factor`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
        body: JSON.stringify({ challenge, code }),
      })
      return reply.status
    }
    // Seven digits are no code of any app, so that no guess is right by chance.
    const fromOne: number[] = []
    for (let tries = 0; tries < 12; tries++) fromOne.push(await guess('192.0.2.1', '1234567'))
    assert.deepEqual(fromOne, [...Array(10).fill(401), 429, 429])
    const fromMany: number[] = []
    for (let tries = 0; tries < 12; tries++) fromMany.push(await guess(`198.51.100.${tries}`, '1234567'))
    assert.deepEqual(fromMany, [...Array(10).fill(401), 429, 429])
    // The right one waits too: else guessing would go on until it fits.
    assert.equal(await guess('203.0.113.1', app.code(clock.now())), 429)
    assert.equal(await guess('203.0.113.1', app.recoveryCodes[0] ?? ''), 429)
    clock.advance(15 * minuteMs)
    assert.equal((await secondStep(world, await challengeOf(world), app.code(clock.now()))).status, 200)
  },
)

testOnEachDatabase(
  'a recovery code works once, also where many send it at the same moment (design: recovery codes)',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const cookie = await signIn(world.api, email, password)
    const { recoveryCodes } = await turnOnSecondFactor(world.api, cookie, password, clock.now())
    assert.equal(new Set(recoveryCodes).size, 10)
    const [first = '', second = ''] = recoveryCodes
    const challenges = await Promise.all(Array.from({ length: 6 }, () => challengeOf(world)))
    const answers = await Promise.all(challenges.map((challenge) => secondStep(world, challenge, first)))
    assert.deepEqual(statuses(answers), [200, 401, 401, 401, 401, 401])
    const state = await asBrowser(world.api, cookie, 'GET', '/account/two-factor')
    assert.equal(state.body.recoveryCodesLeft, 9)
    // As people type them.
    const typed = ` ${second.toUpperCase().replaceAll('-', ' ')} `
    assert.equal((await secondStep(world, await challengeOf(world), typed)).status, 200)
  },
)

testOnEachDatabase(
  'no key reads or changes the second factor or the passkeys of its owner (design: 2FA by API key)',
  async (database) => {
    await using world = await startAcme(database)
    let tried = 0
    for (const [name, declared] of Object.entries<Operation>(publicOperations)) {
      if (!/^\/account\/(two-factor|passkeys)/.test(declared.path)) continue
      const { params = {}, body } = samples[name as keyof typeof samples]
      const reply = await fetch(
        world.api + declared.path.replace(/\{(\w+)\}/g, (_, field: string) => params[field] ?? ''),
        {
          method: declared.method,
          headers: {
            authorization: `Bearer ${world.key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        },
      )
      assert.equal(reply.status, 403, name)
      tried += 1
    }
    assert.equal(tried, 10)
  },
)

testOnEachDatabase(
  'a passkey’s answer is good once, from its own page, by its own person, and never with an older count (design: passkeys)',
  async (database) => {
    const clock = new MovableClock()
    await using world = await startAcme(database, { clock })
    const api = world.api.replace('127.0.0.1', 'localhost')
    const { origin } = new URL(api)
    const cookie = await signIn(world.api, email, password)
    const begun = await asBrowser(api, cookie, 'POST', '/account/passkeys/options', { password })
    const passkey = new SoftwarePasskey(origin)
    const made = { name: 'Phone', credential: passkey.create(begun.body.options) }
    assert.equal((await asBrowser(api, cookie, 'POST', '/account/passkeys', made)).status, 200)
    const question = async () => (await asBrowser(api, '', 'POST', '/sessions/passkey/options')).body.options
    const answer = (credential: object) => asBrowser(api, '', 'POST', '/sessions/passkey', { credential })
    const right = passkey.get(await question())
    assert.equal((await answer(right)).status, 200)
    assert.equal((await answer(right)).status, 401)
    const wrong: Mischief[] = [
      { origin: 'https://evil.example' },
      { origin: origin.replace('localhost', 'evil.localhost') },
      { rpId: 'evil.example' },
      { verified: false },
      { counter: 1 },
      { counter: 0 },
      { userHandle: Buffer.from('usr_somebodyelse').toString('base64url') },
      { challenge: begun.body.options.challenge },
      { challenge: Buffer.from('never asked').toString('base64url') },
    ]
    for (const mischief of wrong) {
      const refused = await answer(passkey.get(await question(), mischief))
      assert.deepEqual([refused.status, refused.cookie], [401, ''], JSON.stringify(mischief))
    }
    // Another key that calls itself the same.
    const forger = new SoftwarePasskey(origin)
    const forged = forger.get(await question(), { userHandle: passkey.userHandle, counter: 1000 })
    assert.equal((await answer({ ...forged, id: passkey.id, rawId: passkey.id })).status, 401)
    const late = passkey.get(await question())
    clock.advance(5 * minuteMs)
    assert.equal((await answer(late)).status, 401)
    // Of many who send one answer at the same moment, one gets in.
    const one = passkey.get(await question())
    const answers = await Promise.all(Array.from({ length: 5 }, () => answer(one)))
    assert.deepEqual(statuses(answers), [200, 401, 401, 401, 401])
    const log = await asBrowser(api, cookie, 'GET', '/account/activity')
    const outcomes = log.body.entries.filter(
      ({ operation }: { operation: string }) => operation === 'signInWithPasskey',
    )
    assert.ok(outcomes.some(({ outcome }: { outcome: string }) => outcome === 'failed'))
    assert.ok(outcomes.some(({ outcome }: { outcome: string }) => outcome === 'done'))
  },
)
