import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { WebSocket } from 'ws'
import { publicOperations, publicSockets, publicTransfers } from '../../src/contract/api/index.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import type { Declared, Operation } from '../../src/contract/operation.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { samples } from '../conformance/samples.ts'
import { addMember, MovableClock, owner, signIn, startAcme, startPanelWorld } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'

type World = Awaited<ReturnType<typeof startAcme>>

let folder: string
let world: World
let clock: MovableClock
let server: string
let closer: AsyncDisposableStack
/** Everything that the panel has written into its log. */
const logged: string[] = []
before(async () => {
  closer = new AsyncDisposableStack()
  folder = await mkdtemp(join(tmpdir(), 'pharos-tokens-'))
  closer.defer(() => rm(folder, { recursive: true, force: true }))
  clock = new MovableClock(Date.now())
  // Without what our own log takes out of fields by their names, so that nothing hides behind that.
  const log = pino({ level: 'trace' }, { write: (line) => void logged.push(line) })
  world = closer.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }, { clock, log }))
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  closer.use(await joinFakeNode(world.acme))
  const { id } = await world.acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
  server = id.replace('servers/', '')
})
after(() => closer.disposeAsync())

const origin = (): string => new URL(world.api).origin
/** Lets every rate limit begin anew. */
const passMinutes = (): void => clock.advance(20 * 60_000)

test('each kind of secret opens its own door and no other (CVE-2026-54593)', async () => {
  const cookie = await signIn(world.api, owner.email, owner.password)
  const session = cookie.slice(cookie.indexOf('=') + 1)
  const upload = (await world.acme.startUpload({ params: { serverId: server } })).jwt
  const invited = await world.acme.createInvitation({ body: { email: 'one@example.com' } })
  const invitation = new URL(invited.url ?? '').hash.slice(1)
  const { joinToken } = await world.acme.createNode({ body: { name: 'waiting' } })
  const join = decodeJoinToken(joinToken).secret
  const node = (await world.panel.registerLocalNode('local')).credential.reveal()
  const edge = (await world.panel.registerLocalEdge('local')).credential.reveal()
  const secrets = { key: world.key, session, upload, invitation, join, node, edge }

  const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
  const base = `${world.api}/servers/${server}`
  const link = async (hello: object): Promise<boolean> => {
    try {
      const dialled = await dialLink({
        dialler: tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }),
        hello,
        events: { onStream: (stream) => stream.destroy() },
      })
      dialled.close('seen')
      return true
    } catch {
      return false
    }
  }
  const edgeFacts = {
    ...{ host: 'edge.test', base: 'edge.test', scheme: 'http', httpPort: 80, linkPort: 1, pin: world.panel.pin },
    ...{ ports: { first: 30_000, last: 30_010 }, udp: true, minecraftPort: null, region: 'here' },
  }
  // In this order, since those that are used up by being right come last.
  const doors: Record<string, { right: keyof typeof secrets; open(text: string): Promise<boolean> }> = {
    'an operation with a key': {
      right: 'key',
      open: async (text) => (await fetch(`${world.api}/account`, { headers: bearer(text) })).ok,
    },
    'an operation on a server with a key': {
      right: 'key',
      open: async (text) => (await fetch(`${base}/console`, { headers: bearer(text) })).status !== 401,
    },
    'an operation with a session': {
      right: 'session',
      open: async (text) =>
        (await fetch(`${world.api}/account`, { headers: { cookie: `pharos_session=${text}`, origin: origin() } })).ok,
    },
    'an upload': {
      right: 'upload',
      open: async (text) =>
        (await fetch(`${base}/files/upload-direct?file=x`, { method: 'POST', headers: bearer(text), body: 'x' }))
          .status !== 401,
    },
    'a download, by header': {
      right: 'upload',
      // No door for any of these at all: its own kind of ticket is not among them.
      open: async (text) =>
        (await fetch(`${base}/files/download-direct`, { headers: bearer(text) })).status !== 401 || text === upload,
    },
    'a backup’s download, by its address': {
      right: 'upload',
      open: async (text) =>
        (await fetch(`${base}/backups/bak_x/content?ticket=${encodeURIComponent(text)}`)).status !== 401 ||
        text === upload,
    },
    'the link of an edge': {
      right: 'edge',
      open: (text) => link({ role: 'edge', version: 1, credential: text, software: 'x', ...edgeFacts }),
    },
    'the link of a node': {
      right: 'node',
      open: (text) => link({ role: 'node', version: 1, credential: text, software: 'x' }),
    },
    'joining as a node': {
      right: 'join',
      open: (text) => link({ role: 'join', version: 1, secret: text, software: 'x' }),
    },
    'an invitation': {
      right: 'invitation',
      open: async (text) =>
        (
          await fetch(`${world.api}/invitations/accept`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ secret: text, password: 'a long password' }),
          })
        ).ok,
    },
  }
  for (const [door, { right, open }] of Object.entries(doors))
    for (const [kind, text] of Object.entries(secrets)) {
      clock.advance(61_000)
      assert.equal(await open(text), kind === right, `${kind} at the door of ${door}`)
    }
  const { jwt } = await world.acme.startUpload({ params: { serverId: server } })
  const downloads = await fetch(`${base}/files/download-direct`, { headers: bearer(jwt) })
  assert.equal(downloads.status, 401, 'an upload’s ticket downloads nothing')
  assert.equal((await fetch(`${base}/backups/bak_x/content?ticket=${jwt}`)).status, 401)
})

test('a key never gets a cookie, whatever it asks, so none outlives it (GHSA-7v3x-h7r2-34jv)', async () => {
  for (const [name, operation] of Object.entries<Operation>(publicOperations)) {
    if (operation.access === 'public') continue
    const sample = samples[name as keyof typeof samples]
    const path = operation.path.replace(/\{(\w+)\}/g, (_, field: string) =>
      (sample.params?.[field] ?? '').replace('{server}', 'ffffffff'),
    )
    const reply = await fetch(world.api + path, {
      method: operation.method,
      headers: {
        authorization: `Bearer ${world.key}`,
        ...(sample.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(sample.body === undefined ? {} : { body: JSON.stringify(sample.body) }),
    })
    await reply.arrayBuffer()
    assert.equal(reply.headers.get('set-cookie'), null, name)
  }
})

test('what a key has begun ends with it: its links (GHSA-7v3x-h7r2-34jv)', async () => {
  const { id, token } = await world.acme.createToken({ body: { label: 'short' } })
  const { jwt } = await world.client(token).startUpload({ params: { serverId: server } })
  await world.acme.revokeToken({ params: { id } })
  const sent = await fetch(`${world.api}/servers/${server}/files/upload-direct?file=x`, {
    method: 'POST',
    headers: { authorization: `Bearer ${jwt}` },
    body: 'x',
  })
  assert.equal(sent.status, 401)
})

test('another site can do nothing with the cookie of somebody who is signed in (CVE-2021-41273, CVE-2021-41176)', async () => {
  const cookie = await signIn(world.api, owner.email, owner.password)
  assert.match(cookie, /^pharos_session=/)
  const before = await world.acme.workspace()
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: origin(), 'sec-fetch-site': 'cross-site' },
    { origin: `${origin()}.evil.example` },
    { 'sec-fetch-site': 'same-site' },
    {},
  ]
  for (const [name, operation] of Object.entries<Operation>(publicOperations)) {
    if (operation.access === 'public' || operation.method === 'GET') continue
    const sample = samples[name as keyof typeof samples]
    const path = operation.path.replace(/\{(\w+)\}/g, (_, field: string) =>
      (sample.params?.[field] ?? '').replace('{server}', server),
    )
    for (const headers of foreign) {
      passMinutes()
      const reply = await fetch(world.api + path, {
        method: operation.method,
        // What a form can send without asking is no JSON; a script's JSON comes with an origin.
        headers: { cookie, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(sample.body ?? {}),
      })
      assert.equal(reply.status, 401, `${name} from ${JSON.stringify(headers)}: ${await reply.text()}`)
    }
  }
  const own = { cookie, origin: origin() }
  assert.equal((await fetch(`${world.api}/account`, { headers: own })).status, 200, 'still signed in')
  assert.deepEqual(await world.acme.workspace(), before)
})

test('another site opens no live connection with somebody’s cookie (CVE-2021-41273)', async () => {
  const cookie = await signIn(world.api, owner.email, owner.password)
  for (const { path } of Object.values(publicSockets))
    for (const [headers, expected] of [
      [{ origin: 'https://evil.example' }, 401],
      [{ origin: 'null' }, 401],
      [{}, 401],
      [{ origin: origin() }, 101],
    ] as const) {
      passMinutes()
      const url = `${world.api.replace('http', 'ws')}${path.replace('{serverId}', server)}`
      const socket = new WebSocket(url, { headers: { cookie, ...headers } })
      const status = await new Promise<number>((resolve) => {
        socket.once('open', () => resolve(101))
        socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
        socket.on('error', () => undefined)
      })
      socket.terminate()
      assert.equal(status, expected, `${path} from ${JSON.stringify(headers)}`)
    }
})

test('the cookie of a session is out of reach of scripts and other sites (CVE-2021-41273)', async () => {
  const reply = await fetch(`${world.api}/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: owner.email, password: owner.password }),
  })
  assert.match(reply.headers.get('set-cookie') ?? '', /HttpOnly; SameSite=Strict/)
  assert.equal(reply.headers.get('access-control-allow-credentials'), null)
})

test('live connections of a session end when it is signed out, ended from elsewhere, or the password changes (Wings: console after removal)', async () => {
  const { cookie: own } = await addMember(world, 'sockets@example.com')
  const password = 'sockets@example.com has a password'
  const as = (cookie: string, method: string, path: string, body?: unknown) =>
    fetch(world.api + path, {
      method,
      headers: { cookie, origin: origin(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const acts: Record<string, (cookie: string) => Promise<Response>> = {
    'signed out': (cookie) => as(cookie, 'DELETE', '/sessions/current'),
    'ended from elsewhere': async () => {
      const { sessions } = (await (await as(own, 'GET', '/sessions')).json()) as {
        sessions: { id: string; current: boolean }[]
      }
      const other = sessions.find(({ current }) => !current)
      return as(own, 'DELETE', `/sessions/${other?.id}`)
    },
    'password changed': () =>
      as(own, 'PUT', '/account/password', { current: password, password: 'yet another password' }),
  }
  for (const [what, act] of Object.entries(acts)) {
    passMinutes()
    const cookie = await signIn(world.api, 'sockets@example.com', password)
    const socket = new WebSocket(`${world.api.replace('http', 'ws')}/events`, { headers: { cookie, origin: origin() } })
    await once(socket, 'open')
    const closed = once(socket, 'close')
    assert.equal((await act(cookie)).status, 200, what)
    const [code, reason] = await closed
    assert.deepEqual([code, String(reason)], [1008, 'Your session or key has ended.'], what)
  }
})

test('nobody learns which addresses have accounts (GHSA-j7f5-gfqm-pcx3)', async () => {
  await addMember(world, 'known@example.com')
  const answers = new Set<string>()
  for (const email of ['known@example.com', 'unknown@example.com', owner.email, 'no address', '']) {
    passMinutes()
    const reply = await fetch(`${world.api}/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password: 'certainly wrong' }),
    })
    const headers = [...reply.headers].filter(([name]) => !['x-request-id', 'date'].includes(name))
    answers.add(JSON.stringify([reply.status, await reply.json(), headers]))
  }
  assert.equal(answers.size, 1, [...answers].join('\n'))
  // Inviting is no way to ask either.
  const invitations = await Promise.all(
    ['known2@example.com', owner.email].map(async (email) => {
      const reply = await fetch(`${world.api}/servers/${server}/users`, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ userEmail: email, permissions: [] }),
      })
      return reply.status
    }),
  )
  assert.equal(invitations[0], 200)
})

test('of people who accept one invitation at the same moment, one gets in (MCSManager mission tokens)', async () => {
  passMinutes()
  const { url } = await world.acme.createInvitation({ body: { email: 'once@example.com' } })
  const secret = new URL(url ?? '').hash.slice(1)
  const accept = () =>
    fetch(`${world.api}/invitations/accept`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, password: 'a long password' }),
    })
  const statuses = (await Promise.all(Array.from({ length: 10 }, accept))).map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join())
  assert.equal((await accept()).status, 401)
})

test('the first owner is made with the secret that the machine shows, once, also where many try (default credentials)', async (t) => {
  const own = await mkdtemp(join(tmpdir(), 'pharos-setup-'))
  t.after(() => rm(own, { recursive: true, force: true }))
  await using fresh = await startPanelWorld({ kind: 'sqlite', file: join(own, 'panel.db') })
  const post = (secret: string, n = 0) =>
    fetch(`${fresh.api}/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        secret,
        email: `first${n}@example.com`,
        password: 'a long password',
        workspace: { name: 'First', slug: `first${n}` },
      }),
    })
  for (const wrong of ['admin', 'password', 'x'.repeat(43)]) assert.equal((await post(wrong)).status, 401)
  const secret = new URL((await fresh.panel.setupLink()) ?? '').hash.slice(1)
  assert.ok(secret.length >= 43, 'as random as a key')
  const statuses = (await Promise.all(Array.from({ length: 8 }, (_, n) => post(secret, n)))).map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join())
  assert.notEqual((await post(secret, 9)).status, 200)
  assert.equal(await fresh.panel.setupLink(), null)
})

test('no address has a place for a secret, but for the short-lived ticket of one download or upload (Panel 1.11.8)', () => {
  const named = Object.entries<Declared>({ ...publicOperations, ...publicTransfers, ...publicSockets }).flatMap(
    ([name, declared]) => [
      ...Object.keys(declared.query?.shape ?? {}).map((field) => [name, field] as const),
      ...Object.keys(declared.params?.shape ?? {}).map((field) => [name, field] as const),
    ],
  )
  const secret = /secret|password|token|jwt|key|credential|ticket|code/i
  // What tells apart two files of one name; the ids of a passkey and of an SSH key, which are public.
  const noSecrets = ['contentKey', 'passkey', 'sshKey']
  const found = named.filter(([, field]) => secret.test(field) && !noSecrets.includes(field))
  for (const [name, field] of found) assert.ok(field === 'ticket' && name in publicTransfers, `${name} ${field}`)
  assert.ok(named.length > 50)
})

test('no secret is in the panel’s log, at its most talkative (Panel 1.11.8)', async () => {
  passMinutes()
  const cookie = await signIn(world.api, owner.email, owner.password)
  const { token } = await world.acme.createToken({ body: {} })
  const { jwt } = await world.acme.startUpload({ params: { serverId: server } })
  await fetch(`${world.api}/servers/${server}/files/upload-direct?file=x&ticket=${jwt}`, { method: 'POST', body: 'x' })
  await fetch(`${world.api}/account`, { headers: { authorization: `Bearer ${token}` } })
  await fetch(`${world.api}/account?token=${token}`)
  await signIn(world.api, owner.email, 'mistyped-secret').catch(() => undefined)
  const all = logged.join('\n')
  assert.ok(logged.length > 0, 'something was logged')
  for (const secret of [owner.password, cookie.split('=')[1] ?? '', token, jwt, world.key, 'mistyped-secret'])
    assert.ok(secret !== '' && !all.includes(secret), `a secret is in the log: ${secret.slice(0, 4)}…`)
})

test('what proves somebody has 256 random bits and is nowhere in the database (MCSManager 6ea4d767)', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => world.acme.createToken({ body: {} })))
  const cookie = await signIn(world.api, owner.email, owner.password)
  const secrets = [...keys.map(({ token }) => token), cookie.split('=')[1] ?? '', world.key]
  assert.equal(new Set(secrets).size, secrets.length)
  for (const secret of secrets) assert.ok(secret.replace(/^ph[a-z]_/, '').length >= 43, 'base64url of 32 bytes')
  const dump: string[] = []
  for (const table of ['tokens', 'sessions', 'users', 'invitations', 'nodes', 'edges'] as const)
    dump.push(JSON.stringify(await world.database.kysely.selectFrom(table).selectAll().execute()))
  for (const secret of secrets) assert.ok(!dump.join().includes(secret))
  assert.ok(!dump.join().includes(owner.password))
})
