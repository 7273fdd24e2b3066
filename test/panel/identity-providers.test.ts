import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { DatabaseConfig } from '../../src/panel/db/index.ts'
import { testOnPostgres } from '../databases.ts'
import { SoftwarePasskey } from '../world/authenticator.ts'
import { turnOnSecondFactor } from '../world/browser-session.ts'
import { CookieBrowser } from '../world/cookie-browser.ts'
import { type DishonestProvider, type Said, startDishonestProvider } from '../world/dishonest-provider.ts'
import { startProvider, type TestProvider } from '../world/openid-provider.ts'
import { addMember, MovableClock, owner, signIn, startAcme } from '../world/panel.ts'

/** Signing in to the panel with OpenID providers, and linking accounts with them. */

const minuteMs = 60_000
const people = {
  ada: { email: 'ada@work.example' },
  grace: { email: 'Grace@Example.org' },
  max: { email: 'max@elsewhere.example' },
  mallory: { email: owner.email },
  nobody: { email: 'nobody@example.org', verified: false },
}

class World {
  readonly acme: Awaited<ReturnType<typeof startAcme>>
  readonly clock: MovableClock
  readonly provider: TestProvider
  readonly dishonest: DishonestProvider
  readonly origin: string

  constructor(acme: World['acme'], clock: MovableClock, provider: TestProvider, dishonest: DishonestProvider) {
    this.acme = acme
    this.clock = clock
    this.provider = provider
    this.dishonest = dishonest
    this.origin = new URL(acme.api).origin
  }

  static async start(closer: AsyncDisposableStack, database: DatabaseConfig): Promise<World> {
    const clock = new MovableClock(Date.now())
    const acme = closer.use(await startAcme(database, { clock, config: { signInNetworks: ['127.0.0.0/8'] } }))
    const origin = new URL(acme.api).origin
    const provider = closer.use(await startProvider([`${origin}/sign-in/test`], people))
    return new World(acme, clock, provider, closer.use(await startDishonestProvider()))
  }

  create(more: object = {}) {
    return this.acme.acme.createIdentityProvider({
      body: {
        ...{ slug: 'test', name: 'Test ID', issuer: this.provider.issuer },
        ...{ clientId: 'tunnel', clientSecret: 'the secret of a client', scopes: ['openid', 'email'] },
        ...more,
      },
    })
  }

  update(body: Parameters<World['acme']['acme']['updateIdentityProvider']>[0]['body'], provider = 'test') {
    return this.acme.acme.updateIdentityProvider({ params: { provider }, body })
  }

  browser(): PanelBrowser {
    return new PanelBrowser(this.acme.api)
  }
}

/** A browser on the pages of the panel, which goes to providers and comes back. */
class PanelBrowser {
  readonly #api: string
  /** By login: a provider knows its people again. */
  readonly #elsewhere = new Map<string, CookieBrowser>()
  readonly cookies = new Map<string, string>()

  constructor(api: string) {
    this.#api = api
  }

  async ask(method: string, path: string, body?: unknown, origin: string | null = new URL(this.#api).origin) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const reply = await fetch(this.#api + path, {
      method,
      headers: {
        ...(origin !== null && { origin }),
        ...(cookie && { cookie }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    for (const set of reply.headers.getSetCookie()) {
      const [pair = ''] = set.split(';')
      this.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
      assert.match(set, /HttpOnly; SameSite=Strict/)
    }
    // biome-ignore lint/suspicious/noExplicitAny: replies of many shapes
    return { status: reply.status, body: (await reply.json()) as any }
  }

  /** Where the provider is to be asked for a sign-in. */
  async begin(body: object = {}, provider = 'test'): Promise<URL> {
    const begun = await this.ask('POST', `/sessions/providers/${provider}`, body)
    assert.equal(begun.status, 200, JSON.stringify(begun.body))
    return new URL(begun.body.url)
  }

  /** The query that the provider sends this browser back with. */
  async visit(url: URL, login: string): Promise<string> {
    const elsewhere = this.#elsewhere.get(login) ?? new CookieBrowser(0)
    this.#elsewhere.set(login, elsewhere)
    const { way } = await elsewhere.signIn(url.href, login)
    const back = way.find((one) => one.startsWith(`${new URL(this.#api).origin}/sign-in/`))
    assert.ok(back, way.join('\n'))
    return new URL(back).search.slice(1)
  }

  answer(answer: string, provider = 'test') {
    return this.ask('POST', `/sessions/providers/${provider}/answer`, { answer })
  }

  async signIn(login: string, body: object = {}) {
    return this.answer(await this.visit(await this.begin(body), login))
  }

  /** With the password, as an account always can. */
  async enter(email: string = owner.email, password: string = owner.password): Promise<void> {
    assert.equal((await this.ask('POST', '/sessions', { email, password })).status, 200)
  }

  beginLink(password: string = owner.password) {
    return this.ask('POST', '/account/sign-in-providers/test', { password })
  }

  async link(login: string, password?: string) {
    const begun = await this.beginLink(password)
    assert.equal(begun.status, 200, JSON.stringify(begun.body))
    return this.linkAnswer(await this.visit(new URL(begun.body.url), login))
  }

  linkAnswer(answer: string) {
    return this.ask('POST', '/account/sign-in-providers/test/answer', { answer })
  }

  get isIn(): boolean {
    return (this.cookies.get('pharos_session') ?? '') !== ''
  }
}

async function refused(asked: Promise<{ status: number; body: { message?: string } }>, status: number, words: RegExp) {
  const { status: got, body } = await asked
  assert.equal(got, status, JSON.stringify(body))
  assert.match(body.message ?? '', words)
}

describe('signing in with a provider', () => {
  const closer = new AsyncDisposableStack()
  let world: World
  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-providers-'))
    closer.defer(() => rm(folder, { recursive: true, force: true }))
    world = await World.start(closer, { kind: 'sqlite', file: join(folder, 'panel.db') })
    await world.create()
  })
  after(() => closer.disposeAsync())

  test('providers are set up by administrators, and tell no secret', async () => {
    const { acme } = world.acme
    const { providers, redirectBase } = await acme.identityProviders()
    assert.equal(redirectBase, `${world.origin}/sign-in/`)
    assert.deepEqual(providers, [
      {
        ...{ slug: 'test', issuer: world.provider.issuer, name: 'Test ID', clientId: 'tunnel', confidential: true },
        ...{ scopes: ['openid', 'email'], newAccounts: 'nobody', domains: [], enabled: true, accounts: 0 },
        redirectUri: `${world.origin}/sign-in/test`,
        createdAt: new Date(world.clock.now()).toISOString(),
      },
    ])
    const { client_secret: kept } = await world.acme.database.kysely
      .selectFrom('identity_providers')
      .select('client_secret')
      .executeTakeFirstOrThrow()
    assert.match(kept ?? '', /^v1\./)
    const facts = await acme.testIdentityProvider({ params: { provider: 'test' } })
    assert.equal(facts.namesItself, true)
    assert.ok(facts.authorizationEndpoint?.startsWith(world.provider.issuer))
    assert.deepEqual((await world.acme.client().signInProviders()).providers, [{ provider: 'test', name: 'Test ID' }])
    const max = await addMember(world.acme, 'plain@example.com')
    const member = world.acme.client(max.key)
    await assert.rejects(member.identityProviders(), { code: 'forbidden' })
    await assert.rejects(member.deleteIdentityProvider({ params: { provider: 'test' } }), { code: 'forbidden' })
  })

  test('a provider that is none, is taken, or makes accounts for no domain is refused with the reason', async () => {
    const create = (more: object) => world.create({ slug: 'other', ...more })
    await assert.rejects(world.create(), { code: 'conflict', message: /called test already/ })
    await assert.rejects(create({ issuer: `${world.origin}/` }), { code: 'conflict', message: /does not answer as/ })
    await assert.rejects(create({ issuer: 'http://127.0.0.1:1' }), { message: /nothing listens at 127\.0\.0\.1:1/ })
    await assert.rejects(create({ issuer: 'http://10.0.0.1' }), { message: /sign-in-networks/ })
    await assert.rejects(create({ issuer: 'http://id.example.org' }), { message: /https:/ })
    await assert.rejects(create({ issuer: 'https://a:b@id.example.org' }), { code: 'invalid_request' })
    await assert.rejects(create({ newAccounts: 'domains' }), { message: /at least one domain/ })
    await assert.rejects(create({ scopes: ['email'] }), { code: 'invalid_request' })
    await assert.rejects(create({ slug: '../x' }), { code: 'invalid_request' })
    await assert.rejects(world.update({ newAccounts: 'domains' }), { message: /at least one domain/ })
    await assert.rejects(world.update({ name: 'Other' }, 'missing'), { code: 'not_found' })
    assert.equal((await world.acme.acme.identityProviders()).providers.length, 1)
  })

  test('who is linked with nobody does not come in, though the address is that of an account', async () => {
    await refused(world.browser().signIn('mallory'), 403, /link it under Account/)
    await world.update({ newAccounts: 'anybody' })
    const mallory = world.browser()
    await refused(mallory.signIn('mallory'), 409, /has an account here already/)
    await refused(mallory.signIn('nobody'), 403, /has not verified/)
    await world.update({ newAccounts: 'domains', domains: ['example.org'] })
    await refused(mallory.signIn('mallory'), 403, /only some domains/)
    await refused(world.browser().signIn('max'), 403, /only some domains/)
    assert.equal(mallory.isIn, false)
    await world.update({ newAccounts: 'nobody', domains: [] })
  })

  test('an account is linked, signs in, is asked for its second factor, and unlinks', async () => {
    const ada = world.browser()
    await ada.enter()
    await refused(ada.beginLink('not the password'), 403, /current password is wrong/)
    const linked = await ada.link('ada')
    assert.deepEqual(linked.body, {
      ...{ provider: 'test', name: 'Test ID', enabled: true, account: 'ada@work.example', lastUsedAt: null },
      linkedAt: new Date(world.clock.now()).toISOString(),
    })
    assert.equal((await ada.link('ada')).status, 200)
    await refused(ada.link('max'), 409, /linked with somebody else/)

    const other = world.browser()
    const entered = await other.signIn('ada', { next: '/tunnels?of=may' })
    assert.equal(entered.status, 200, JSON.stringify(entered.body))
    assert.deepEqual([entered.body.account.email, entered.body.next], [owner.email, '/tunnels?of=may'])
    assert.equal((await other.ask('GET', '/account')).status, 200)
    const { links, hasPassword } = (await other.ask('GET', '/account/sign-in-providers')).body
    assert.equal(links[0].lastUsedAt, new Date(world.clock.now()).toISOString())
    assert.equal(hasPassword, true)

    const cookie = `pharos_session=${ada.cookies.get('pharos_session')}`
    const app = await turnOnSecondFactor(world.acme.api, cookie, owner.password, world.clock.now())
    const guarded = world.browser()
    const half = await guarded.signIn('ada')
    assert.deepEqual(Object.keys(half.body).sort(), ['next', 'secondFactor'])
    assert.equal(guarded.isIn, false)
    world.clock.advance(minuteMs)
    const prove = (challenge: string) =>
      guarded.ask('POST', '/sessions/second-factor', { challenge, code: app.code(world.clock.now()) })
    assert.equal((await prove(half.body.secondFactor.challenge)).body.email, owner.email)
    assert.equal(guarded.isIn, true)

    // Unlinked between the two steps: the first counts no more.
    const late = await world.browser().signIn('ada')
    assert.equal((await ada.ask('DELETE', '/account/sign-in-providers/test')).status, 200)
    assert.equal((await ada.ask('DELETE', '/account/sign-in-providers/test')).status, 404)
    world.clock.advance(minuteMs)
    await refused(prove(late.body.secondFactor.challenge), 401, /Sign in again/)
    await refused(world.browser().signIn('ada'), 403, /No account here is linked/)

    const { entries } = (await ada.ask('GET', '/account/activity')).body
    const seen = entries.map(({ operation, outcome }: Record<string, string>) => `${operation} ${outcome}`)
    for (const entry of ['beginProviderLink denied', 'linkProvider done', 'linkProvider failed', 'unlinkProvider done'])
      assert.ok(seen.includes(entry), entry)
    assert.ok(seen.includes('signInWithProvider done'))
    await ada.ask('POST', '/account/two-factor/disable', { password: owner.password, code: app.recoveryCodes[0] })
  })

  test('who somebody is at a provider belongs to one account', async () => {
    const ada = world.browser()
    await ada.enter()
    assert.equal((await ada.link('ada')).status, 200)
    const bob = await addMember(world.acme, 'bob@example.com')
    const bobs = world.browser()
    bobs.cookies.set('pharos_session', bob.cookie.replace('pharos_session=', ''))
    await refused(bobs.link('ada', 'bob@example.com has a password'), 409, /linked with another account/)
    // What Bob has begun is not finished by Ada, nor a sign-in as a link, nor the other way round.
    const begun = new URL((await bobs.beginLink('bob@example.com has a password')).body.url)
    ada.cookies.set('pharos_browser', bobs.cookies.get('pharos_browser') ?? '')
    await refused(ada.linkAnswer(await bobs.visit(begun, 'max')), 401, /Begin again/)
    await refused(bobs.answer(await bobs.visit(begun, 'max')), 401, /Begin again/)
    await refused(bobs.linkAnswer(await bobs.visit(await bobs.begin(), 'max')), 401, /Begin again/)
    const { links } = (await bobs.ask('GET', '/account/sign-in-providers')).body
    assert.deepEqual(links, [])
    await ada.ask('DELETE', '/account/sign-in-providers/test')
  })

  test('an answer is good in its own browser, in time, once, at its own provider, and as it was asked for', async () => {
    const ada = world.browser()
    await ada.enter()
    await ada.link('ada')
    ada.cookies.delete('pharos_session')
    const url = await ada.begin()
    assert.equal(url.searchParams.get('redirect_uri'), `${world.origin}/sign-in/test`)
    assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
    const good = await ada.visit(url, 'ada')
    const changed = (name: string, value: string): string => {
      const query = new URLSearchParams(good)
      query.set(name, value)
      return query.toString()
    }
    const state = new URLSearchParams(good).get('state') ?? ''
    const other = (await ada.begin()).searchParams.get('state') ?? ''
    for (const answer of [
      changed('state', `${state}x`),
      changed('state', state.replace(/^in\./, 'link.')),
      `${good}&state=${state}`,
      `${good}&state=${other}`,
      good.replace(/state=[^&]*/, ''),
      'code=guessed',
    ])
      await refused(ada.answer(answer), 401, /Begin again/)
    const stolen = world.browser()
    await refused(stolen.answer(good), 401, /Begin again/)
    await stolen.begin()
    await refused(stolen.answer(good), 401, /Begin again/)
    await refused(ada.answer(good, 'missing'), 404, /missing not found/)
    const entered = await ada.answer(good)
    assert.equal(entered.status, 200, JSON.stringify(entered.body))
    await refused(ada.answer(good), 401, /Begin again/)

    // Each of these uses a sign-in up.
    for (const [name, value, words] of [
      ['iss', 'https://elsewhere.example', /not good here/],
      ['iss', '', /not good here/],
      ['code', 'guessed', /not good here/],
      // The code of an earlier sign-in, with the state of a new one.
      ['code', new URLSearchParams(good).get('code') ?? '', /not good here/],
    ] as const) {
      const query = new URLSearchParams(await ada.visit(await ada.begin(), 'ada'))
      if (value === '') query.delete(name)
      else query.set(name, value)
      await refused(ada.answer(query.toString()), 401, words)
    }
    const tampered = await ada.begin()
    tampered.searchParams.set('nonce', 'another')
    await refused(ada.answer(await ada.visit(tampered, 'ada')), 401, /not good here/)
    const denied = new URLSearchParams({ error: 'access_denied', iss: world.provider.issuer })
    denied.set('state', (await ada.begin()).searchParams.get('state') ?? '')
    await refused(ada.answer(denied.toString()), 401, /did not let you in/)

    const late = await ada.visit(await ada.begin(), 'ada')
    world.clock.advance(5 * minuteMs)
    await refused(ada.answer(late), 401, /Begin again/)
    await ada.ask('DELETE', '/account/sign-in-providers/test')
  })

  test('begins only on the panel’s own pages, and leads back to no other site', async () => {
    const browser = world.browser()
    const begin = (origin: string | null, body: object = {}) =>
      browser.ask('POST', '/sessions/providers/test', body, origin)
    await refused(begin(null), 401, /own pages/)
    await refused(begin('https://evil.example'), 409, /send people back to/)
    await refused(begin(world.origin.replace('127.0.0.1', 'localhost')), 409, /send people back to/)
    for (const next of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      '/\t/evil.example',
      '',
    ])
      assert.equal((await begin(world.origin, { next })).status, 400, next)
    await refused(browser.ask('POST', '/sessions/providers/missing', {}), 404, /missing not found/)
    assert.equal(browser.cookies.size, 0)
  })

  test('what a provider says is believed only where it is signed, and said to this panel at this moment', async () => {
    const { dishonest } = world
    await world.create({
      ...{ slug: 'lies', name: 'Lies', issuer: dishonest.issuer },
      ...{ clientId: 'pharos', clientSecret: null, newAccounts: 'anybody' },
    })
    const attempt = async (said: Said, more: Record<string, string> = {}) => {
      const browser = world.browser()
      const { searchParams } = await browser.begin({}, 'lies')
      dishonest.say(searchParams.get('nonce') ?? '', said)
      const query = { code: 'any', state: searchParams.get('state') ?? '', iss: dishonest.issuer, ...more }
      return browser.answer(new URLSearchParams(query).toString(), 'lies')
    }
    const now = Math.floor(Date.now() / 1000)
    const lies: Said[] = [
      { claims: { nonce: 'of another sign-in' } },
      { claims: { nonce: undefined } },
      { claims: { aud: 'another client' } },
      { claims: { aud: ['pharos', 'another client'], azp: 'another client' } },
      { claims: { iss: 'https://elsewhere.example' } },
      { claims: { exp: now - 3600, iat: now - 7200 } },
      { claims: { sub: undefined } },
      { claims: { sub: '' } },
      { otherKey: true },
      { unsigned: true },
      { status: 400 },
    ]
    for (const said of lies) {
      const { status, body } = await attempt(said)
      assert.deepEqual([status, /not good here/.test(body.message)], [401, true], JSON.stringify([said, body]))
    }
    await refused(attempt({ claims: { email_verified: false } }), 403, /not verified/)
    await refused(attempt({ claims: { email: 'not an address' } }), 403, /not verified/)
    await refused(attempt({ claims: { email: owner.email.toUpperCase() } }), 409, /already/)
    await refused(attempt({ bytes: 2 * 1024 * 1024 }), 409, /does not answer/)
    const honest = await attempt({ claims: { name: 'Some \u001b[31mBody' } })
    assert.equal(honest.status, 200, JSON.stringify(honest.body))
    assert.deepEqual([honest.body.account.name, honest.body.account.instanceAdmin], ['somebody', false])
    // The address may change: the account is that of the subject, and keeps its own address.
    const again = await attempt({ claims: { email: 'renamed@example.org', email_verified: false } })
    assert.equal(again.body.account.email, 'somebody@example.org')
  })

  test('an account that a sign-in has made sets a password soon after one, and keeps its last way in', async () => {
    await world.update({ newAccounts: 'domains', domains: ['example.org'] })
    const grace = world.browser()
    const { account } = (await grace.signIn('grace')).body
    assert.deepEqual([account.email, account.instanceAdmin, account.workspaces], ['grace@example.org', false, []])
    assert.equal((await grace.ask('GET', '/account/sign-in-providers')).body.hasPassword, false)
    await refused(grace.ask('DELETE', '/account/sign-in-providers/test'), 409, /last way to sign in/)
    await refused(grace.ask('POST', '/account/two-factor', { password: '' }), 403, /no password yet/)
    await refused(grace.beginLink(''), 403, /no password yet/)
    const enter = { email: account.email, password: '' }
    assert.equal((await world.browser().ask('POST', '/sessions', enter)).status, 401)
    await assert.rejects(world.acme.acme.deleteIdentityProvider({ params: { provider: 'test' } }), {
      code: 'conflict',
      message: /One account has no other way/,
    })
    const set = () => grace.ask('PUT', '/account/password', { current: '', password: 'a password at last' })
    const { url } = await world.acme.acme.createInvitation({ body: { email: account.email, role: 'member' } })
    const secret = url?.slice(url.indexOf('#') + 1) ?? ''
    const join = () => grace.ask('POST', '/invitations/accept', { secret, password: 'a password at last' })
    await refused(join(), 401, /set a password under Account/)
    world.clock.advance(10 * minuteMs)
    await refused(set(), 403, /in again/)
    assert.equal((await grace.signIn('grace')).status, 200)
    assert.equal((await set()).status, 200)
    await refused(set(), 403, /current password is wrong/)
    assert.equal((await join()).status, 200)
    const removed = await grace.ask('DELETE', '/account/sign-in-providers/test')
    assert.deepEqual(removed.body, { provider: 'test', unlinked: true })
    await grace.enter(account.email, 'a password at last')
    await world.update({ newAccounts: 'nobody', domains: [] })
  })

  test('a provider that is turned off, down or deleted in between lets nobody in, and says so', async () => {
    const ada = world.browser()
    await ada.enter()
    await ada.link('ada')
    const waiting = await ada.visit(await ada.begin(), 'ada')
    await world.update({ enabled: false })
    await refused(ada.answer(waiting), 409, /turned off/)
    await refused(ada.ask('POST', '/sessions/providers/test', {}), 409, /turned off/)
    const offered = (await ada.ask('GET', '/sessions/providers')).body.providers
    assert.deepEqual(
      offered.map(({ provider }: { provider: string }) => provider),
      ['lies'],
    )
    await world.update({ enabled: true })
    const gone = await ada.visit(await ada.begin(), 'ada')
    await world.acme.acme.deleteIdentityProvider({ params: { provider: 'test' } })
    await refused(ada.answer(gone), 404, /test not found/)
    // Another one under the same name is another one.
    await world.create({ newAccounts: 'anybody' })
    await refused(ada.answer(gone), 401, /Begin again/)
    assert.deepEqual((await ada.ask('GET', '/account/sign-in-providers')).body.links, [])
    const begun = await ada.visit(await ada.begin(), 'ada')
    await world.provider[Symbol.asyncDispose]()
    await refused(ada.answer(begun), 409, /does not answer at this moment/)
  })

  test('the last passkey of an account that has nothing else stays', async () => {
    const { kysely } = world.acme.database
    const session = await signIn(world.acme.api, owner.email, owner.password)
    const local = world.acme.api.replace('127.0.0.1', 'localhost')
    const browser = new PanelBrowser(local)
    browser.cookies.set('pharos_session', session.replace('pharos_session=', ''))
    const { options } = (await browser.ask('POST', '/account/passkeys/options', { password: owner.password })).body
    const credential = new SoftwarePasskey(new URL(local).origin).create(options)
    const { id } = (await browser.ask('POST', '/account/passkeys', { name: 'Key', credential })).body
    await kysely.updateTable('users').set({ has_password: 0 }).where('email', '=', owner.email).execute()
    await refused(browser.ask('DELETE', `/account/passkeys/${id}`), 409, /last way to sign in/)
    await kysely.updateTable('users').set({ has_password: 1 }).where('email', '=', owner.email).execute()
    assert.equal((await browser.ask('DELETE', `/account/passkeys/${id}`)).status, 200)
  })
})

testOnPostgres(
  'links, signs in, makes one account of two first sign-ins at a time, and unlinks (postgres)',
  async (database) => {
    await using closer = new AsyncDisposableStack()
    const world = await World.start(closer, database)
    await world.create({ newAccounts: 'anybody' })
    const ada = world.browser()
    await ada.enter()
    assert.equal((await ada.link('ada')).status, 200)
    assert.equal((await world.browser().signIn('ada')).body.account.email, owner.email)
    const two = [world.browser(), world.browser()]
    const answers = await Promise.all(two.map(async (one) => one.visit(await one.begin(), 'grace')))
    const entered = await Promise.all(two.map((one, index) => one.answer(answers[index] ?? '')))
    assert.deepEqual(
      entered.map(({ status, body }) => [status, body.account?.id]),
      [
        [200, entered[0]?.body.account.id],
        [200, entered[0]?.body.account.id],
      ],
    )
    assert.equal((await world.acme.acme.identityProviders()).providers[0]?.accounts, 2)
    await assert.rejects(world.acme.acme.deleteIdentityProvider({ params: { provider: 'test' } }), { code: 'conflict' })
    assert.equal((await ada.ask('DELETE', '/account/sign-in-providers/test')).status, 200)
  },
)
