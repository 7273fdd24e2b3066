import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { type Mischief, SoftwarePasskey } from '../../../test/world/authenticator.ts'
import { asBrowser, turnOnSecondFactor } from '../../../test/world/browser-session.ts'
import { addMember, MovableClock, owner, signIn, startAcme } from '../../../test/world/panel.ts'
import { passkeysPerUserMax } from './limits.ts'

type World = Awaited<ReturnType<typeof startAcme>>

const { email, password } = owner
const minuteMs = 60_000

/** The panel as a browser on `http://localhost` sees it: passkeys belong to names. */
const local = (world: World): string => world.api.replace('127.0.0.1', 'localhost')

const asker = (world: World) => (cookie: string, method: string, path: string, body?: unknown, origin?: string) =>
  asBrowser(local(world), cookie, method, path, body, origin)

async function addPasskey(world: World, cookie: string, mischief: Mischief = {}) {
  const ask = asker(world)
  const { body, status } = await ask(cookie, 'POST', '/account/passkeys/options', { password })
  assert.equal(status, 200, JSON.stringify(body))
  const passkey = new SoftwarePasskey(new URL(local(world)).origin)
  const credential = passkey.create(body.options, mischief)
  const reply = await ask(cookie, 'POST', '/account/passkeys', { name: 'Phone', credential })
  return { passkey, credential, reply }
}

async function enter(world: World, passkey: SoftwarePasskey, mischief: Mischief = {}) {
  const { body } = await asker(world)('', 'POST', '/sessions/passkey/options')
  const credential = passkey.get(body.options, mischief)
  return { credential, reply: await asker(world)('', 'POST', '/sessions/passkey', { credential }) }
}

testOnEachDatabase('a passkey signs in by itself, with a second factor turned on too', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const cookie = await signIn(world.api, email, password)
  await turnOnSecondFactor(world.api, cookie, password, clock.now())
  const { passkey, reply } = await addPasskey(world, cookie)
  assert.deepEqual(
    { ...reply.body, id: '' },
    { id: '', name: 'Phone', createdAt: new Date(clock.now()).toISOString(), lastUsedAt: null, synced: false },
  )
  clock.advance(minuteMs)
  const { reply: entered } = await enter(world, passkey)
  assert.equal(entered.body.email, email)
  const listed = await asker(world)(entered.cookie, 'GET', '/account/passkeys')
  assert.equal(listed.body.passkeys[0].lastUsedAt, new Date(clock.now()).toISOString())
  assert.equal((await enter(world, passkey)).reply.status, 200)
})

testOnEachDatabase('a passkey is renamed and deleted by its owner alone, and then opens nothing', async (database) => {
  await using world = await startAcme(database)
  const ask = asker(world)
  const cookie = await signIn(world.api, email, password)
  const { passkey, reply } = await addPasskey(world, cookie)
  const path = `/account/passkeys/${reply.body.id}`
  const stranger = await addMember(world, 'max@example.com')
  assert.equal((await ask(stranger.cookie, 'PATCH', path, { name: 'Mine' })).status, 404)
  assert.equal((await ask(stranger.cookie, 'DELETE', path)).status, 404)
  assert.deepEqual((await ask(stranger.cookie, 'GET', '/account/passkeys')).body, { passkeys: [] })
  assert.equal((await ask(cookie, 'PATCH', path, { name: '' })).status, 400)
  assert.equal((await ask(cookie, 'PATCH', path, { name: 'Old phone' })).body.name, 'Old phone')
  assert.equal((await ask(cookie, 'DELETE', path)).body.deleted, true)
  assert.equal((await ask(cookie, 'DELETE', path)).status, 404)
  const { reply: refused } = await enter(world, passkey)
  assert.deepEqual([refused.status, refused.cookie], [401, ''])
})

testOnEachDatabase('a new passkey is refused where anything about it is not as it was asked for', async (database) => {
  const clock = new MovableClock()
  await using world = await startAcme(database, { clock })
  const ask = asker(world)
  const cookie = await signIn(world.api, email, password)
  assert.equal((await ask(cookie, 'POST', '/account/passkeys/options', { password: 'wrong' })).status, 403)
  const others: Mischief[] = [
    { origin: 'http://evil.localhost' },
    { rpId: 'evil.example' },
    { verified: false },
    { challenge: 'bm90IG91cnM' },
  ]
  for (const mischief of others)
    assert.equal((await addPasskey(world, cookie, mischief)).reply.status, 409, JSON.stringify(mischief))
  const { credential, reply } = await addPasskey(world, cookie)
  assert.equal(reply.status, 200)
  assert.equal((await ask(cookie, 'POST', '/account/passkeys', { name: 'Twice', credential })).status, 409)

  const { body } = await ask(cookie, 'POST', '/account/passkeys/options', { password })
  const passkey = new SoftwarePasskey(new URL(local(world)).origin)
  const made = { name: 'Other', credential: passkey.create(body.options) }
  const stranger = await addMember(world, 'max@example.com')
  assert.equal((await ask(stranger.cookie, 'POST', '/account/passkeys', made)).status, 409)
  clock.advance(5 * minuteMs)
  assert.equal((await ask(cookie, 'POST', '/account/passkeys', made)).status, 409)
  // An answer to a question of signing in makes none either.
  const question = await ask('', 'POST', '/sessions/passkey/options')
  const answered = passkey.create({ challenge: question.body.options.challenge, user: { id: passkey.userHandle } })
  assert.equal((await ask(cookie, 'POST', '/account/passkeys', { name: 'Third', credential: answered })).status, 409)
  assert.equal((await ask(cookie, 'GET', '/account/passkeys')).body.passkeys.length, 1)
})

testOnEachDatabase('an account has so many passkeys and no more', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, email, password)
  for (let count = 0; count < passkeysPerUserMax; count++)
    assert.equal((await addPasskey(world, cookie)).reply.status, 200)
  const refused = await asker(world)(cookie, 'POST', '/account/passkeys/options', { password })
  assert.equal(refused.status, 409)
  assert.match(refused.body.message, /Delete one first/)
})

testOnEachDatabase('says why there are no passkeys where browsers have none', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, email, password)
  const options = (origin: string, host: string) =>
    // By its own module: fetch does not let anybody choose the host.
    import('node:http').then(
      ({ request }) =>
        new Promise<{ status: number; text: string }>((resolve, reject) => {
          const asked = request(`${world.api}/sessions/passkey/options`, { method: 'POST', headers: { origin, host } })
          asked.on('error', reject).on('response', async (reply) => {
            const chunks: Buffer[] = []
            for await (const chunk of reply) chunks.push(chunk)
            resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
          })
          asked.end()
        }),
    )
  const { port } = new URL(world.api)
  const cases: [origin: string, host: string, status: number, words: RegExp][] = [
    [`http://127.0.0.1:${port}`, `127.0.0.1:${port}`, 409, /localhost/],
    [`http://[::1]:${port}`, `[::1]:${port}`, 409, /localhost/],
    ['http://panel.example.com', 'panel.example.com', 409, /https/],
    ['https://evil.example.com', 'panel.example.com', 401, /own pages/],
    ['null', 'panel.example.com', 401, /own pages/],
    ['https://panel.example.com', 'panel.example.com', 200, /"rpId":"panel.example.com"/],
    [`http://localhost:${port}`, `localhost:${port}`, 200, /"rpId":"localhost"/],
  ]
  for (const [origin, host, status, words] of cases) {
    const reply = await options(origin, host)
    assert.equal(reply.status, status, `${origin} ${reply.text}`)
    assert.match(reply.text, words)
  }
  const byKey = await fetch(`${world.api}/sessions/passkey/options`, { method: 'POST' })
  assert.equal(byKey.status, 401)
  assert.equal((await asBrowser(world.api, cookie, 'POST', '/account/passkeys/options', { password })).status, 409)
})

testOnEachDatabase('passkeys belong to the public address, where that is configured', async (database) => {
  const publicUrl = 'https://panel.example.com'
  await using world = await startAcme(database, { config: { publicUrl } })
  const cookie = await signIn(world.api, email, password)
  const elsewhere = await asker(world)(cookie, 'POST', '/account/passkeys/options', { password })
  assert.equal(elsewhere.status, 409)
  assert.match(elsewhere.body.message, /https:\/\/panel\.example\.com/)
  const there = await asBrowser(world.api, cookie, 'POST', '/account/passkeys/options', { password }, publicUrl)
  assert.equal(there.body.options.rp.id, 'panel.example.com')
  const passkey = new SoftwarePasskey(publicUrl)
  const made = { name: 'Phone', credential: passkey.create(there.body.options) }
  assert.equal((await asBrowser(world.api, cookie, 'POST', '/account/passkeys', made, publicUrl)).status, 200)
  const { body } = await asBrowser(world.api, '', 'POST', '/sessions/passkey/options', undefined, publicUrl)
  const credential = passkey.get(body.options)
  const entered = await asBrowser(world.api, '', 'POST', '/sessions/passkey', { credential }, publicUrl)
  assert.equal(entered.body.email, email)
})
