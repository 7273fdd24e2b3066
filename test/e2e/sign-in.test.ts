import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { type AccessWorld, asBrowser, basic, echo, startAccessWorld } from '../world/access-world.ts'
import { CookieBrowser } from '../world/cookie-browser.ts'
import { startProvider, type TestProvider } from '../world/openid-provider.ts'
import { eventually } from '../world/panel.ts'

/** Signing in to a tunnel with a real OpenID provider. */

let world: AccessWorld
let provider: TestProvider
let web: { id: string; url: string }
const host = 'web.acme.localhost'
const people = {
  ada: { email: 'Ada@Example.org', groups: ['staff', 'admins'] },
  max: { email: 'max@example.org' },
  eve: { email: 'eve@elsewhere.example' },
  mallory: { email: 'ada@example.org', verified: false },
}

before(async () => {
  world = await startAccessWorld()
  const sockets = new WebSocketServer({ noServer: true })
  const port = await world.service((asked, answer) => void echo(asked, answer), sockets)
  web = await world.open({ kind: 'http', name: 'web' }, port)
  const { url } = web
  provider = world.closer.use(await startProvider([`${url}/.pharos/sign-in`], people))
})
after(() => world[Symbol.asyncDispose]())

const rule = (more: object = {}) => ({
  issuer: provider.issuer,
  clientId: 'tunnel',
  clientSecret: 'the secret of a client',
  emails: ['ada@example.org'],
  ...more,
})
const set = (oidc: object | null) =>
  world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body: { oidc: oidc as ReturnType<typeof rule> } })
const browser = () => new CookieBrowser(world.edge.httpPort)
const guarded = () =>
  eventually(async () => (await world.visit(host, { headers: asBrowser })).status === 302, 'people have to sign in')

test('somebody who is named signs in, gets back to where they wanted to go, and is known to the service', async () => {
  const shown = await set(rule())
  assert.deepEqual(
    shown.oidc?.redirectUris.filter((uri) => uri.includes(host)),
    [`${web.url}/.pharos/sign-in`],
  )
  assert.equal(JSON.stringify(shown).includes('the secret of a client'), false)
  await guarded()
  const ada = browser()
  const page = await ada.signIn(`${web.url}/reports?of=may`, 'ada')
  assert.equal(page.status, 200, page.body)
  const seen = JSON.parse(page.body) as { url: string; headers: Record<string, string> }
  assert.equal(seen.url, '/reports?of=may')
  assert.equal(seen.headers['x-forwarded-email'], 'ada@example.org')
  // What is the edge's is not told to the service.
  assert.equal(seen.headers['cookie'], undefined)
  ada.cookies(new URL(web.url).host).set('own', '1')
  const own = JSON.parse((await ada.go(web.url)).body) as { headers: Record<string, string> }
  assert.equal(own.headers['cookie'], 'own=1')
  // Another tab, and another page: nobody is asked twice.
  assert.equal((await ada.ask(`${web.url}/other`)).status, 200)
  assert.equal((await ada.ask(`${web.url}/api`, { accept: 'application/json' })).status, 200)
  assert.equal(provider.discoveries(), 1)
})

test('who is not named, not verified, or not there at all does not come in', async () => {
  await set(rule())
  await guarded()
  for (const login of ['max', 'eve', 'mallory']) {
    const page = await browser().signIn(web.url, login)
    assert.equal(page.status, 403, login)
    assert.equal(page.headers['pharos-error'], 'not_invited')
    assert.equal(page.headers['set-cookie'], undefined)
  }
  for (const headers of [{}, { accept: 'application/json' }, { accept: 'text/html', 'sec-fetch-mode': 'cors' }]) {
    const asked = await world.visit(host, { headers: headers as Record<string, string> })
    assert.equal(asked.status, 401)
    assert.equal(asked.headers.location, undefined)
  }
  assert.equal((await world.visit(host, { method: 'POST', headers: asBrowser, body: 'a=b' })).status, 401)
  for (const name of ['x-forwarded-user', 'x-forwarded-email', 'authorization', 'cookie'])
    assert.equal((await world.visit(host, { headers: { [name]: 'ada@example.org' } })).status, 401, name)
})

test('domains and claims let in whom they name', async () => {
  await set(rule({ emails: [], domains: ['example.org'] }))
  await guarded()
  assert.equal((await browser().signIn(web.url, 'max')).status, 200)
  assert.equal((await browser().signIn(web.url, 'eve')).status, 403)
  await set(rule({ emails: [], claims: { groups: ['admins'] }, scopes: ['openid', 'email', 'groups'] }))
  await guarded()
  assert.equal((await browser().signIn(web.url, 'ada')).status, 200)
  assert.equal((await browser().signIn(web.url, 'max')).status, 403)
  await assert.rejects(set(rule({ emails: [] })), { code: 'invalid_request' })
  await set(rule({ emails: [], anybody: true }))
  await eventually(async () => (await browser().signIn(web.url, 'eve')).status === 200, 'anybody may')
})

test('a sign-in is good in its own browser, on its own tunnel, in time, and as it was begun', async () => {
  await set(rule())
  await guarded()
  const ada = browser()
  const begun = await ada.ask(`${web.url}/`)
  const to = new URL(begun.headers.location ?? '')
  assert.equal(to.origin, provider.issuer)
  assert.equal(to.searchParams.get('code_challenge_method'), 'S256')
  const state = to.searchParams.get('state') ?? ''
  const back = `${web.url}/.pharos/sign-in`
  const iss = encodeURIComponent(provider.issuer)
  for (const path of [
    `${back}?code=guessed&state=${state}&iss=${iss}`,
    `${back}?code=guessed&state=${state}x&iss=${iss}`,
    `${back}?code=guessed`,
    `${back}?error=access_denied&state=${state}&iss=${iss}`,
    `${back}?code=a&state=${state}&state=${state}`,
    back,
  ]) {
    const refused = await ada.ask(path)
    assert.equal(refused.status, 400, path)
    assert.equal(refused.headers['set-cookie'], undefined)
  }
  // Somebody who signs in and hands over the address of the way back gets nobody into their account.
  const page = await ada.go(`${web.url}/`)
  assert.match(page.body, /<form/)
  const stolen = browser()
  const way = (await ada.signIn(`${web.url}/`, 'ada')).way.find((url) => url.includes('/.pharos/sign-in?'))
  assert.equal((await stolen.ask(way ?? '')).status, 400)
  // A session of one tunnel is none of another.
  const port = await world.service((asked, answer) => void echo(asked, answer))
  const other = await world.open({ kind: 'http', name: 'other' }, port)
  await world.acme.updateTunnelAccess({ params: { tunnel: other.id }, body: { oidc: rule() } })
  await eventually(async () => (await world.visit('other.acme.localhost')).status === 401, 'the other one asks, too')
  const session = ada.cookies(new URL(web.url).host).get('pharos-session') ?? ''
  assert.notEqual(session, '')
  const cookie = { cookie: `pharos-session=${session}` }
  assert.equal((await world.visit(host, { headers: cookie })).status, 200)
  assert.equal((await world.visit('other.acme.localhost', { headers: cookie })).status, 401)
  assert.equal((await world.visit('web-acme.localhost', { headers: cookie })).status, 401)
  assert.equal(
    (await world.visit(host, { headers: { cookie: `pharos-session=${session.slice(0, -2)}AA` } })).status,
    401,
  )
  assert.equal((await world.visit(host, { headers: { cookie: `${cookie.cookie}; ${cookie.cookie}` } })).status, 401)
})

test('an address that looks like another host leads nowhere else after signing in', async () => {
  await set(rule())
  await guarded()
  const ada = browser()
  await ada.signIn(web.url, 'ada')
  const again = browser()
  const begun = await again.go(`${web.url}//elsewhere.example/`)
  assert.match(begun.body, /<form/)
  const page = await again.signIn(`${web.url}//elsewhere.example/`, 'ada')
  assert.ok(
    page.way.every((url) => url.startsWith(web.url) || url.startsWith(provider.issuer)),
    page.way.join(' '),
  )
})

test('a session that ends, is signed out, or is no longer allowed ends its WebSockets', async () => {
  const connect = async (cookies: Map<string, string>): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${world.edge.httpPort}/`, {
      headers: { host, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    await once(socket, 'open')
    return socket
  }
  const place = new URL(web.url).host
  await set(rule({ sessionHours: 1 / 1800 }))
  await guarded()
  const brief = browser()
  await brief.signIn(web.url, 'ada')
  await once(await connect(brief.cookies(place)), 'close')

  await set(rule())
  const ada = browser()
  await eventually(async () => {
    await ada.signIn(web.url, 'ada')
    return ada.cookies(place).has('pharos-session')
  }, 'ada is signed in for long')
  const out = await connect(ada.cookies(place))
  const kept = ada.cookies(place).get('pharos-session') ?? ''
  const ended = once(out, 'close')
  assert.equal(
    (await ada.ask(`${web.url}/.pharos/sign-out`, { ...asBrowser, 'sec-fetch-site': 'cross-site' })).status,
    400,
  )
  assert.match((await ada.ask(`${web.url}/.pharos/sign-out`)).body, /You are signed out/)
  await ended
  // The cookie of a session that was ended is worth nothing.
  assert.equal((await world.visit(host, { headers: { cookie: `pharos-session=${kept}` } })).status, 401)

  await ada.signIn(web.url, 'ada')
  const cut = once(await connect(ada.cookies(place)), 'close')
  await set(rule({ emails: ['max@example.org'] }))
  await cut
  await set(rule())
  await guarded()
  await ada.signIn(web.url, 'ada')
  const all = once(await connect(ada.cookies(place)), 'close')
  await world.acme.endAccessSessions({ params: { tunnel: web.id } })
  await all
})

test('a password does beside a sign-in, and a provider that is away or inside the network is no way around', async () => {
  await set(rule())
  await world.acme.putAccessUser({ params: { tunnel: web.id, user: 'robot' }, body: { password: 'beep beep' } })
  await eventually(
    async () => (await world.visit(host, { headers: basic('robot', 'beep beep') })).status === 200,
    'the robot comes in',
  )
  assert.equal((await world.visit(host, { headers: basic('robot', 'wrong one') })).status, 401)
  assert.equal((await world.visit(host, { headers: asBrowser })).status, 302)
  for (const issuer of ['http://127.0.0.1:1', 'http://10.0.0.1', 'http://[::1]:1', 'http://localhost:1']) {
    await set({ ...rule(), issuer })
    const page = await eventually(async () => {
      const visited = await world.visit(host, { headers: asBrowser })
      return visited.status === 502 ? visited : null
    }, issuer)
    assert.equal(page.headers['pharos-error'], 'sign_in_unavailable')
    assert.doesNotMatch(page.body, /127\.0\.0\.1:1|10\.0\.0\.1|ECONN/)
  }
})
