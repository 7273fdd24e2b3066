import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { ask as askHttp2, http2Visitor } from '../../src/edge/testing/http2-client.ts'
import { type AccessWorld, asBrowser, echo, startAccessWorld } from '../world/access-world.ts'
import { CookieBrowser } from '../world/cookie-browser.ts'
import { addMember, eventually } from '../world/panel.ts'

/** What is done about tunnels that do harm: a page before them, reports, and suspending. */

let world: AccessWorld
let web: { id: string; url: string }
const host = 'web.acme.localhost'

before(async () => {
  world = await startAccessWorld()
  const sockets = new WebSocketServer({ noServer: true })
  const port = await world.service((asked, answer) => void echo(asked, answer), sockets)
  web = await world.open({ kind: 'http', name: 'web' }, port)
})
after(() => world[Symbol.asyncDispose]())

const warn = (warnsVisitors: boolean) => world.acme.putPlan({ params: { plan: 'standard' }, body: { warnsVisitors } })
const isWarned = async (): Promise<boolean> =>
  (await world.visit(host, { headers: asBrowser })).headers['pharos-warning'] === 'shown'
const report = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${world.api}/abuse-reports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

test('browsers read a warning once where the plan wants it; programs, sockets and parts of pages pass by (S10, S19)', async () => {
  assert.equal(await isWarned(), false)
  await warn(true)
  await eventually(isWarned, 'visitors are warned')
  const visitor = new CookieBrowser(world.edge.httpPort)
  const page = await visitor.ask(`${web.url}/login?next=%2Fa%22%3E%3Cscript%3E`)
  assert.equal(page.status, 200)
  assert.match(page.body, /You are about to visit web\.acme\.localhost/)
  assert.match(page.body, /href="http:\/\/127\.0\.0\.1:\d+\/report-abuse\?host=web\.acme\.localhost"/)
  assert.doesNotMatch(page.body, /<script/)
  const next = /class="next" rel="nofollow" href="([^"]+)"/.exec(page.body)?.[1]?.replaceAll('&#38;', '&') ?? ''
  assert.match(next, /^\/\.pharos\/continue\?/)
  // Nobody is sent by the link to a page that they were not warned of, nor to another host.
  const [, query = ''] = next.split('?')
  for (const to of ['https://elsewhere.example/', '//elsewhere.example/', '/\\elsewhere.example', '']) {
    const asked = new URLSearchParams(query)
    asked.set('to', to)
    const { headers } = await world.visit(host, { path: `/.pharos/continue?${asked}`, headers: asBrowser })
    assert.equal(new URL(headers.location ?? '').host, new URL(web.url).host, to)
  }
  const forged = await world.visit(host, {
    path: '/.pharos/continue?to=%2Flogin&mark=9999999999999.x',
    headers: asBrowser,
  })
  assert.equal(forged.headers['set-cookie'], undefined)
  // The mark is that of who has read the page.
  assert.equal(
    (await world.visit(host, { path: next, headers: asBrowser, from: '127.0.0.7' })).headers['set-cookie'],
    undefined,
  )
  const arrived = await visitor.go(`${web.url}${next}`)
  const seen = JSON.parse(arrived.body) as { url: string; headers: Record<string, string> }
  assert.equal(seen.url, '/login?next=%2Fa%22%3E%3Cscript%3E')
  assert.equal(seen.headers.cookie, undefined)
  assert.equal((await visitor.ask(`${web.url}/other`)).headers['pharos-warning'], undefined)

  for (const headers of [
    {},
    { accept: '*/*' },
    { accept: 'text/html', 'sec-fetch-mode': 'cors' },
    { accept: 'image/avif,*/*', 'sec-fetch-mode': 'no-cors' },
    { ...asBrowser, 'pharos-skip-warning': '1' },
  ]) {
    const passed = await world.visit(host, { headers: headers as Record<string, string> })
    assert.equal((JSON.parse(passed.body) as { method: string }).method, 'GET', JSON.stringify(headers))
    assert.equal(passed.body.includes('skip-warning'), false)
  }
  assert.equal(
    (await world.visit(host, { method: 'POST', headers: asBrowser, body: 'a=b' })).headers['x-service'],
    'echo',
  )
  const socket = new WebSocket(`ws://127.0.0.1:${world.edge.httpPort}/`, { headers: { host, accept: 'text/html' } })
  await once(socket, 'open')
  socket.terminate()
  const http2 = http2Visitor(world.closer, world.edge.httpPort)
  assert.equal((await askHttp2(http2, { ':path': '/', ...asBrowser })).headers['pharos-warning'], 'shown')
  const call = await askHttp2(http2, { ':path': '/', accept: 'text/html', 'content-type': 'application/grpc' })
  assert.equal(call.headers['pharos-warning'], undefined)
  http2.close()
  await warn(false)
  await eventually(async () => !(await isWarned()), 'nobody is warned any more')
})

test('pages of errors say where abuse is reported, programs get JSON without it', async () => {
  await world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body: { ip: { deny: ['127.0.0.0/8'] } } })
  const page = await eventually(async () => {
    const visited = await world.visit(host, { headers: asBrowser })
    return visited.status === 403 ? visited : null
  }, 'it is refused')
  assert.match(page.body, /report-abuse\?host=/)
  assert.doesNotMatch((await world.visit(host)).body, /report-abuse/)
  await world.acme.updateTunnelAccess({ params: { tunnel: web.id }, body: { ip: null } })
})

test('anybody can report, learns nothing by it, and is held to a rate; administrators read, close and open again', async () => {
  const told = await report({
    url: `${web.url}/login`,
    category: 'phishing',
    message: 'My bank\u001b[31m!\nSee.',
    email: 'Eve@Example.org',
  })
  assert.equal(told.status, 200, await told.clone().text())
  const foreign = await report({ url: 'nobody.elsewhere.localhost', category: 'spam', message: 'x' })
  assert.deepEqual(Object.keys((await foreign.json()) as object), Object.keys((await told.json()) as object))
  const { reports } = await world.acme.abuseReports({ query: {} })
  assert.equal(reports.length, 2)
  const [other, first] = reports
  assert.deepEqual([other?.workspace, other?.tunnel], [null, null])
  assert.deepEqual(
    [first?.workspace, first?.tunnel, first?.host, first?.message, first?.email, first?.state],
    ['acme', 'web', host, 'My bank [31m!\nSee.', 'eve@example.org', 'open'],
  )
  const closed = await world.acme.updateAbuseReport({
    params: { report: first?.id ?? '' },
    body: { state: 'closed', note: 'suspended' },
  })
  assert.deepEqual([closed.state, closed.note, closed.closedAt !== null], ['closed', 'suspended', true])
  assert.equal((await world.acme.abuseReports({ query: { state: 'closed' } })).reports.length, 1)
  const page = await world.acme.abuseReports({ query: { limit: 1 } })
  assert.equal(page.reports.length, 1)
  const rest = await world.acme.abuseReports({ query: { cursor: page.nextCursor ?? '' } })
  assert.deepEqual(
    rest.reports.map(({ id }) => id),
    [first?.id],
  )
  assert.equal(
    (await world.acme.updateAbuseReport({ params: { report: closed.id }, body: { state: 'open' } })).closedAt,
    null,
  )
  await assert.rejects(world.acme.updateAbuseReport({ params: { report: 'abr_none' }, body: { state: 'open' } }), {
    code: 'not_found',
  })

  const member = world.client((await addMember(world, 'max@example.com')).key)
  await assert.rejects(member.abuseReports({ query: {} }), { code: 'forbidden' })
  await assert.rejects(member.updateAbuseReport({ params: { report: closed.id }, body: { state: 'closed' } }), {
    code: 'forbidden',
  })
  await assert.rejects(world.acme.abuseReports({ query: { cursor: "' or 1=1" } }), { code: 'invalid_request' })
  for (const body of [
    { url: '', category: 'spam', message: 'x' },
    { url: 'http://', category: 'spam', message: 'x' },
    { url: web.url, category: 'rude', message: 'x' },
    { url: web.url, category: 'spam', message: '' },
    { url: web.url, category: 'spam', message: 'x'.repeat(4001) },
    { url: web.url, category: 'spam', message: 'x', workspace: 'acme' },
  ])
    assert.equal((await report(body)).status, 400, JSON.stringify(body).slice(0, 80))
  const statuses = await Promise.all(
    Array.from(
      { length: 12 },
      async () => (await report({ url: web.url, category: 'other', message: 'again' })).status,
    ),
  )
  assert.ok(statuses.includes(429), statuses.join(' '))
})

test('suspending is felt by visitors of pages and sockets at once, with rules and a warning in front (S19)', async () => {
  await warn(true)
  await eventually(isWarned, 'visitors are warned')
  const socket = new WebSocket(`ws://127.0.0.1:${world.edge.httpPort}/`, { headers: { host } })
  await once(socket, 'open')
  const cut = once(socket, 'close')
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { suspended: true } })
  await cut
  const page = await world.visit(host, { headers: asBrowser })
  assert.equal(page.status, 503)
  assert.equal(page.headers['pharos-error'], 'agent_offline')
})
