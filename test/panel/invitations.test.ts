import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { SMTPServerOptions } from 'smtp-server'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { PanelConfig, type PanelConfigInput } from '../../src/panel/config.ts'
import type { DatabaseConfig } from '../../src/panel/db/index.ts'
import { createPost } from '../../src/panel/mail/index.ts'
import { ownRates } from '../../src/panel/rates/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { startMailServer } from '../world/mail-server.ts'
import { signIn, startAcme } from '../world/panel.ts'

type Mail = Extract<PanelConfigInput['mail'], object>

const password = 'a good password'
const from = 'panel@example.org'

async function world(t: TestContext, mail: Partial<Mail> & Pick<Mail, 'port'>) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-mail-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return started({ kind: 'sqlite', file: join(folder, 'panel.db') }, mail)
}

const started = (database: DatabaseConfig, mail: Partial<Mail> & Pick<Mail, 'port'>) =>
  startAcme(database, { config: { mail: { host: '127.0.0.1', security: 'none', from, ...mail } } })

const linkIn = (letter: { source: string } | undefined): string =>
  /^(http:\/\/\S+\/invitation#phi_\S+)\r?$/m.exec(letter?.source ?? '')?.[1] ?? ''
const secretIn = (url: string | null): string => (url ?? '').split('#')[1] ?? ''

/** A server that Ada owns, as if its node had made it long ago. */
async function withServer({ database, account, acme }: Awaited<ReturnType<typeof startAcme>>, name = 'Lobby') {
  const { kysely } = database
  const { slug } = await acme.workspace()
  const { id: workspaceId } = await kysely
    .selectFrom('workspaces')
    .select('id')
    .where('slug', '=', slug)
    .executeTakeFirstOrThrow()
  const node = { id: 'node_1', name: 'one', port_first: 1, port_last: 9, created_at: 1 }
  const nothing = { credential_hash: null, join_hash: null, join_expires_at: null, public_address: null }
  await kysely
    .insertInto('nodes')
    .values({ ...node, ...nothing, ...placement, facts: null, last_seen_at: null })
    .execute()
  await kysely.insertInto('template_copies').values({ hash: 'h', content: '{}' }).execute()
  await acme.account()
  const row = { id: '1a7ce997', workspace_id: workspaceId, owner_id: account.id, node_id: node.id, name }
  const size = { memory: 256, disk: 256, cpu: 1 }
  await kysely
    .insertInto('servers')
    .values({ ...row, ...size, template: 'plain', template_hash: 'h', variables: '{}', ...unchanged })
    .execute()
  return { serverId: row.id }
}
const placement = { labels: '{}', maintenance_at: null, memory_factor: 1, disk_factor: null, cpu_factor: null }
const unchanged = {
  restart_on_crash: 1,
  restart_on_hang: 0,
  wake_on_connect: 0,
  idle_minutes: 15,
  runtime: 'sandbox' as const,
  image: null,
  start_when_installed: 0,
  allocation_limit: 5,
  placement: '{}',
  transfer_id: null,
  suspended_at: null,
  deleted_at: null,
  revision: 1,
  state: null,
  created_at: 1,
}

testOnEachDatabase(
  'an invitation to a workspace comes by e-mail, and its link lets one person in',
  async (database) => {
    await using mail = await startMailServer()
    await using panel = await started(database, { port: mail.port })
    const invited = await panel.acme.createInvitation({ body: { email: 'Bob@Example.com' } })
    assert.deepEqual([invited.mailed, invited.url], [true, null])
    assert.equal(invited.message, 'Invitation sent to bob@example.com')
    const [letter] = mail.letters
    assert.deepEqual([mail.letters.length, letter?.from, letter?.to], [1, from, ['bob@example.com']])
    assert.match(letter?.source ?? '', /ada@example\.com invites you to the workspace “Acme Inc”/)
    assert.match(letter?.source ?? '', /^Content-Type: text\/plain/m)
    const bob = await panel.client().acceptInvitation({ body: { secret: secretIn(linkIn(letter)), password } })
    assert.deepEqual(
      bob.workspaces.map(({ slug }) => slug),
      ['acme'],
    )
  },
)

test('somebody who was only given a server makes a workspace of their own, and their key reaches the server', async (t) => {
  await using mail = await startMailServer()
  await using panel = await world(t, { port: mail.port })
  const params = await withServer(panel)
  const added = await panel.acme.createSubuser({
    params,
    body: { userEmail: 'friend@example.com', permissions: ['startup.read', 'network.read'] },
  })
  assert.deepEqual([added.mailed, added.invitationUrl], [true, null])
  assert.match(mail.letters[0]?.source ?? '', /invites you to the server “Lobby”/)
  const secret = secretIn(linkIn(mail.letters[0]))
  const friend = await panel.client().acceptInvitation({ body: { secret, password } })
  assert.deepEqual(friend.workspaces, [])

  const cookie = await signIn(panel.api, 'friend@example.com', password)
  const post = (path: string, body: object, more: Record<string, string> = {}) =>
    fetch(panel.api + path, {
      method: 'POST',
      headers: { cookie, origin: new URL(panel.api).origin, 'content-type': 'application/json', ...more },
      body: JSON.stringify(body),
    })
  const tooEarly = await post('/tokens', { label: 'key' })
  assert.equal(tooEarly.status, 403)
  assert.match(((await tooEarly.json()) as { message: string }).message, /belong to no workspace\. Create one/)
  assert.equal((await post('/workspaces', { name: 'Friend', slug: 'friend' })).status, 200)
  const made = await post('/tokens', { label: 'key' })
  assert.equal(made.status, 200)
  const { token } = (await made.json()) as { token: string }

  const withKey = panel.client(token)
  assert.equal((await withKey.workspace()).slug, 'friend')
  assert.deepEqual(
    (await withKey.servers()).map(({ id }) => id),
    ['servers/1a7ce997'],
  )
  assert.equal((await withKey.server({ params })).name, 'Lobby')
  assert.deepEqual(await withKey.permissions({ params }), {
    permissions: ['network.read', 'startup.read'],
    isOwner: false,
  })
  await assert.rejects(withKey.updateServer({ params, body: { name: 'Mine' } }), { code: 'forbidden' })
  await panel.acme.deleteSubuser({ params: { ...params, subuser: friend.id } })
  await assert.rejects(withKey.server({ params }), { code: 'not_found' })
  assert.deepEqual(await withKey.servers(), [])
})

const brokenServers: [what: string, options: SMTPServerOptions, mail: Partial<Mail>][] = [
  ['refuses the address', { onRcptTo: (_address, _session, done) => done(new Error('No such user')) }, {}],
  ['refuses the letter', { onMailFrom: (_address, _session, done) => done(new Error('Go away')) }, {}],
  ['offers no TLS where TLS is wanted', {}, { security: 'starttls' }],
  ['speaks no TLS at all where it should from the start', {}, { security: 'tls' }],
  ['has a certificate that nobody vouches for', { disabledCommands: [] }, { security: 'starttls' }],
]
for (const [what, options, mail] of brokenServers)
  test(`an invitation is not lost where the mail server ${what}: the link comes back and works`, async (t) => {
    await using server = await startMailServer(options)
    await using panel = await world(t, { port: server.port, ...mail })
    const invited = await panel.acme.createInvitation({ body: { email: 'bob@example.com' } })
    assert.equal(invited.mailed, false)
    assert.match(invited.message, /the e-mail could not be sent: hand its link to bob@example\.com/)
    assert.deepEqual(server.letters, [])
    await panel.client().acceptInvitation({ body: { secret: secretIn(invited.url), password } })
  })

test('nor where there is no mail server, for somebody who is given a server either', async (t) => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const address = closed.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  await new Promise((resolve) => closed.close(resolve))
  await using panel = await world(t, { port })
  const params = await withServer(panel)
  const added = await panel.acme.createSubuser({ params, body: { userEmail: 'x@example.com', permissions: [] } })
  assert.equal(added.mailed, false)
  assert.match(added.message, /could not be sent/)
  await panel.client().acceptInvitation({ body: { secret: secretIn(added.invitationUrl), password } })
})

test('names that people choose make neither links, markup nor header lines of a letter', async (t) => {
  await using mail = await startMailServer()
  await using panel = await world(t, { port: mail.port })
  const name = '\u202e<b>WIN</b> http://evil.example/x win@evil.example'
  await panel.acme.updateWorkspace({ body: { name } })
  await panel.acme.createInvitation({ body: { email: 'bob@example.com' } })
  const source = mail.letters[0]?.source ?? ''
  assert.doesNotMatch(source, /evil\.example|http:\/\/evil|<b>|\u202e|%E2%80%AE/)
  assert.equal(source.match(/https?:\/\//g)?.length, 1)
  const params = await withServer(panel, 'Lobby\r\nBcc: everybody@example.com\r\n\r\nhttp://evil.example')
  await panel.acme.createSubuser({ params, body: { userEmail: 'carol@example.com', permissions: [] } })
  const second = mail.letters[1]
  assert.deepEqual(second?.to, ['carol@example.com'])
  assert.doesNotMatch(second?.source ?? '', /^Bcc:|evil\.example/im)
})

for (const email of [
  'a@example.com, b@example.com',
  'a@example.com\r\nBcc: b@example.com',
  '"<b@example.com>" <a@example.com>',
])
  test(`the address ${JSON.stringify(email)} is refused and nothing is sent`, async (t) => {
    await using mail = await startMailServer()
    await using panel = await world(t, { port: mail.port })
    await assert.rejects(panel.acme.createInvitation({ body: { email } }), { code: 'invalid_request' })
    assert.deepEqual(mail.letters, [])
  })

const letter = { to: 'bob@example.com', subject: 'Hello', text: 'Hi' }
const post = (port: number, more: Partial<Mail> & { password?: string; log?: typeof silentLog } = {}) => {
  const { password: secret, log = silentLog, user } = more
  return createPost({
    config: { host: '127.0.0.1', port, security: 'none', from, user },
    password: secret === undefined ? undefined : new Secret(secret),
    rates: ownRates(systemClock),
    log,
  })
}

test('a line break in a subject begins no new header line', async () => {
  await using mail = await startMailServer()
  using sender = post(mail.port)
  assert.equal(await sender.send('usr_1', { ...letter, subject: 'Hi\r\nBcc: everybody@example.com' }), 'sent')
  assert.deepEqual(mail.letters[0]?.to, ['bob@example.com'])
  assert.doesNotMatch(mail.letters[0]?.source ?? '', /^Bcc:/im)
})

test('signs in where a user is set, and a wrong password is neither sent twice nor logged', async () => {
  const onAuth: SMTPServerOptions['onAuth'] = ({ username, password: given }, _session, done) =>
    given === 'right' ? done(null, { user: username }) : done(new Error(`Wrong password ${given}`))
  await using mail = await startMailServer({ authOptional: false, allowInsecureAuth: true, onAuth })
  using right = post(mail.port, { user: 'pharos', password: 'right' })
  assert.equal(await right.send('usr_1', letter), 'sent')
  const said: unknown[] = []
  const log = Object.assign(Object.create(silentLog), { warn: (...words: unknown[]) => said.push(words) })
  using wrong = post(mail.port, { user: 'pharos', password: 'hunter2', log })
  assert.equal(await wrong.send('usr_1', letter), 'failed')
  assert.equal(said.length, 1)
  assert.doesNotMatch(JSON.stringify(said), /hunter2/)
})

test('one person has only so many letters sent in an hour; another one is not held up by that', async () => {
  await using mail = await startMailServer()
  using sender = post(mail.port)
  const outcomes = new Set<string>()
  for (let sent = 0; !outcomes.has('limited') && sent < 100; sent += 1) outcomes.add(await sender.send('usr_1', letter))
  assert.deepEqual([...outcomes], ['sent', 'limited'])
  assert.equal(mail.letters.length, 30)
  assert.equal(await sender.send('usr_2', letter), 'sent')
})

test('half a mail server is refused when the panel is configured', () => {
  assert.throws(() => PanelConfig.shape.mail.parse({ host: 'mail.example.org', port: 25 }), /from/)
  assert.throws(() => PanelConfig.shape.mail.parse({ host: 'm', port: 25, from: 'a@b.org\r\nBcc: c@d.org' }), /email/i)
})
