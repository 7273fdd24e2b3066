import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { firstMessage } from '../../../test/children.ts'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { startMailServer } from '../../../test/world/mail-server.ts'
import { addMember, eventually, MovableClock, owner, startAcme, startPanelWorld } from '../../../test/world/panel.ts'
import { joinFakeNode } from '../../../test/world/panel-node.ts'
import { accept, answerWith, hang, startReceiver, verified } from '../../../test/world/webhook-receiver.ts'
import { createClient } from '../../client/index.ts'
import { publicOperations } from '../../contract/api/index.ts'
import { webhookEvents } from '../../contract/api/webhooks.ts'
import type { DatabaseConfig } from '../db/index.ts'

const day = 24 * 60 * 60_000
const loopback = { webhookNetworks: ['127.0.0.0/8'] }

async function file(t: TestContext): Promise<DatabaseConfig> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-webhooks-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return { kind: 'sqlite', file: join(folder, 'panel.db') }
}

type Acme = Awaited<ReturnType<typeof startAcme>>

/** Waits until the newest delivery is as the test says. */
const newest = (world: Acme, webhook: string, fits: (delivery: Delivery) => boolean): Promise<Delivery> =>
  eventually(async () => {
    const { deliveries } = await world.acme.webhookDeliveries({ params: { webhook }, query: {} })
    return deliveries[0] && fits(deliveries[0]) ? deliveries[0] : undefined
  }, 'a delivery')
type Delivery = Awaited<ReturnType<Acme['acme']['webhookDeliveries']>>['deliveries'][number]

const hook = (world: Acme, url: string, events: readonly (typeof webhookEvents)[number][] = webhookEvents) =>
  world.acme.createWebhook({ body: { format: 'json', url, events: [...events] } })

testOnEachDatabase(
  'tells a receiver what happens, signed, each event once, and shows what became of it',
  async (config) => {
    await using receiver = await startReceiver()
    await using world = await startAcme(config, { config: loopback })
    const { acme } = world
    const { webhook, secret } = await hook(world, receiver.url)
    assert.match(secret ?? '', /^whsec_/)
    assert.ok(!JSON.stringify(await acme.webhooks({})).includes(secret ?? ''))
    const tested = await acme.testWebhook({ params: { webhook: webhook.id } })
    const done = await newest(world, webhook.id, ({ state }) => state === 'delivered')
    assert.deepEqual([done.id, done.status, done.attempts, done.message], [tested.id, 204, 1, null])
    const [only] = receiver.received
    assert.ok(only)
    assert.ok(Math.abs(verified(only, secret ?? '') * 1000 - Date.now()) < day)
    assert.equal(only.headers['pharos-delivery'], tested.id)
    assert.equal(JSON.parse(only.body).event, 'webhook.test')

    await using node = await joinFakeNode(acme)
    const { id } = await acme.createServer({ body: { name: 'Lobby', template: 'plain' } })
    const key = id.slice('servers/'.length)
    const started = await newest(
      world,
      webhook.id,
      ({ event, state }) => event === 'server.started' && state === 'delivered',
    )
    assert.match(JSON.stringify(started.content), /Server Lobby runs/)
    const incident = {
      ...{ id: 'c1', kind: 'crash' as const, at: Date.now(), message: 'It crashed with code 1', code: 1, signal: null },
      ...{ outOfMemory: false, restarts: false, lines: ['a secret of the console'] },
    }
    node.tell({ type: 'incident', id: key, incident })
    node.tell({ type: 'incident', id: key, incident })
    await newest(world, webhook.id, ({ event, state }) => event === 'server.crashed' && state === 'delivered')
    // The node says its states again, as after a link that broke: nobody is told twice.
    await node.leave()
    await node.connect()
    await eventually(
      async () => (await acme.server({ params: { serverId: key } })).status === 'running',
      'it is known again',
    )
    await acme.power({ params: { serverId: key }, body: { action: 'stop' } })
    node.enter(key, 'running')
    await newest(
      world,
      webhook.id,
      ({ event, content }) => event === 'server.started' && JSON.stringify(content) !== JSON.stringify(started.content),
    )
    await eventually(() => receiver.received.length >= 4, 'four deliveries')
    const events = receiver.received.map(({ body }) => JSON.parse(body).event)
    assert.deepEqual(events, ['webhook.test', 'server.started', 'server.crashed', 'server.started'])
    assert.ok(!receiver.received.some(({ body }) => body.includes('a secret of the console')))
    assert.equal(new Set(receiver.received.map(({ headers }) => headers['pharos-delivery'])).size, 4)
  },
)

testOnEachDatabase(
  'a receiver that fails gets the same delivery again, later and later, and by hand at once',
  async (config) => {
    const clock = new MovableClock()
    await using receiver = await startReceiver(answerWith(500))
    await using world = await startAcme(config, { clock, config: loopback })
    const { webhook, secret } = await hook(world, receiver.url)
    const params = { webhook: webhook.id }
    const { id } = await world.acme.testWebhook({ params })
    const first = await newest(world, webhook.id, ({ attempts }) => attempts === 1)
    assert.deepEqual([first.state, first.status], ['pending', 500])
    assert.equal(Date.parse(first.nextAt ?? ''), clock.now() + 10_000)
    const broken = await world.acme.webhook({ params })
    assert.deepEqual(
      [broken.waiting, broken.failingSince, broken.enabled],
      [1, new Date(clock.now()).toISOString(), true],
    )
    clock.advance(10_000)
    await newest(world, webhook.id, ({ attempts }) => attempts === 2)
    receiver.answers(answerWith(200))
    await world.acme.redeliver({ params: { ...params, delivery: id } })
    const done = await newest(world, webhook.id, ({ state }) => state === 'delivered')
    assert.equal(done.id, id)
    assert.equal((await world.acme.webhook({ params })).failingSince, null)
    assert.deepEqual(
      receiver.received.map(({ headers }) => headers['pharos-delivery']),
      [id, id, id],
    )
    const rotated = await world.acme.rotateWebhookSecret({ params })
    assert.notEqual(rotated.secret, secret)
    await world.acme.redeliver({ params: { ...params, delivery: id } })
    const last = await eventually(() => receiver.received[3], 'another one')
    for (const one of [rotated.secret, secret ?? '']) verified(last, one)
    clock.advance(day + 1)
    await world.acme.testWebhook({ params })
    const later = await eventually(() => receiver.received[4], 'one after a day')
    verified(later, rotated.secret)
    assert.throws(() => verified(later, secret ?? ''), /not signed/)
  },
)

testOnEachDatabase(
  'a webhook that fails for days is switched off, its owners hear of it, and it can be switched on again',
  async (config) => {
    const clock = new MovableClock()
    await using mail = await startMailServer()
    await using receiver = await startReceiver(answerWith(503))
    const mailConfig = { host: '127.0.0.1', port: mail.port, security: 'none', from: 'pharos@example.org' } as const
    await using world = await startAcme(config, { clock, config: { ...loopback, mail: mailConfig } })
    const { webhook } = await hook(world, receiver.url)
    const params = { webhook: webhook.id }
    await world.acme.testWebhook({ params })
    await newest(world, webhook.id, ({ attempts }) => attempts === 1)
    clock.advance(3 * day)
    for (let attempt = 2; attempt <= 10; attempt++) {
      await world.acme.redeliver({ params: { ...params, delivery: (await newest(world, webhook.id, () => true)).id } })
      await eventually(() => receiver.received.length === attempt, `attempt ${attempt}`)
      await newest(
        world,
        webhook.id,
        ({ lastAt, state }) => state === 'failed' || Date.parse(lastAt ?? '') === clock.now(),
      )
      clock.advance(1)
    }
    const off = await eventually(async () => {
      const now = await world.acme.webhook({ params })
      return now.enabled ? undefined : now
    }, 'it is off')
    assert.match(off.disabledWhy ?? '', /10 failures in a row: 127\.0\.0\.1:\d+ answered 503/)
    assert.equal(off.waiting, 0)
    const letter = await eventually(() => mail.letters[0], 'a letter')
    assert.deepEqual(letter.to, [owner.email])
    assert.match(letter.source, /A webhook was switched off/)
    await assert.rejects(world.acme.testWebhook({ params }), { code: 'conflict' })
    assert.ok(
      (await world.acme.workspaceActivity({})).entries.some(({ operation }) => operation === 'webhookSwitchedOff'),
    )
    receiver.answers(answerWith(200))
    await world.acme.updateWebhook({ params, body: { enabled: true } })
    await world.acme.testWebhook({ params })
    await newest(world, webhook.id, ({ state }) => state === 'delivered')
  },
)

test('a receiver that hangs keeps nobody else waiting, and one at a private address is never called', async (t) => {
  await using silent = await startReceiver(hang)
  await using receiver = await startReceiver()
  await using world = await startAcme(await file(t), { config: loopback })
  const hanging = await hook(world, silent.url)
  const good = await hook(world, receiver.url)
  for (let n = 0; n < 3; n++) await world.acme.testWebhook({ params: { webhook: hanging.webhook.id } })
  await eventually(() => silent.received.length === 1, 'one on its way')
  await world.acme.testWebhook({ params: { webhook: good.webhook.id } })
  await newest(world, good.webhook.id, ({ state }) => state === 'delivered')
  assert.equal(silent.received.length, 1)
  await using strict = await startAcme(await file(t))
  const inside = await hook(strict, receiver.url)
  await strict.acme.testWebhook({ params: { webhook: inside.webhook.id } })
  const refused = await newest(strict, inside.webhook.id, ({ attempts }) => attempts === 1)
  assert.match(refused.message ?? '', /not on the public internet/)
  assert.equal(receiver.received.length, 1)
})

test('members are told by mail where there is a mail server, and nobody else ever', async (t) => {
  await using mail = await startMailServer()
  const mailConfig = { host: '127.0.0.1', port: mail.port, security: 'none', from: 'pharos@example.org' } as const
  await using world = await startAcme(await file(t), { config: { mail: mailConfig } })
  const { acme } = world
  const body = { format: 'mail', to: owner.email, events: ['server.crashed'] } as const
  await assert.rejects(
    acme.createWebhook({ body: { ...body, to: 'stranger@example.org', events: ['server.crashed'] } }),
    {
      code: 'invalid_request',
    },
  )
  const { webhook, secret } = await acme.createWebhook({ body: { ...body, events: ['server.crashed'] } })
  assert.deepEqual([secret, webhook.to, webhook.url], [null, owner.email, null])
  await acme.testWebhook({ params: { webhook: webhook.id } })
  await newest(world, webhook.id, ({ state }) => state === 'delivered')
  assert.match(mail.letters[0]?.source ?? '', /Subject: webhook\.test: acme/)
  await assert.rejects(acme.rotateWebhookSecret({ params: { webhook: webhook.id } }), { code: 'conflict' })
  const { kysely } = world.database
  const ben = {
    id: 'usr_ben',
    email: 'ben@example.com',
    name: 'Ben',
    password_hash: '-',
    has_password: 1,
    instance_admin: 0,
    created_at: 1,
  }
  await kysely.insertInto('users').values(ben).execute()
  const { workspace_id } = await kysely.selectFrom('members').selectAll().executeTakeFirstOrThrow()
  await kysely.insertInto('members').values({ workspace_id, user_id: ben.id, role: 'admin', joined_at: 1 }).execute()
  const his = await acme.createWebhook({ body: { format: 'mail', to: ben.email, events: ['node.away'] } })
  await acme.removeMember({ params: { member: ben.id } })
  await acme.testWebhook({ params: { webhook: his.webhook.id } })
  const off = await eventually(async () => {
    const now = await acme.webhook({ params: { webhook: his.webhook.id } })
    return now.enabled ? undefined : now
  }, 'it is off')
  assert.match(off.disabledWhy ?? '', /no member of the workspace any more/)
})

test('refuses what is no webhook, members that may not, and the webhooks of others', async (t) => {
  await using world = await startAcme(await file(t))
  const { acme } = world
  const body = { format: 'json', url: 'https://hooks.example.org/', events: ['server.crashed'] } as const
  for (const url of [
    'ftp://example.org/',
    'https://user:secret@example.org/',
    'nonsense',
    `https://x/${'y'.repeat(2001)}`,
  ])
    await assert.rejects(acme.createWebhook({ body: { ...body, events: ['server.crashed'], url } }), {
      code: 'invalid_request',
    })
  // @ts-expect-error: no such event.
  await assert.rejects(acme.createWebhook({ body: { ...body, events: ['server.exploded'] } }), {
    code: 'invalid_request',
  })
  await assert.rejects(acme.createWebhook({ body: { ...body, events: [] } }), { code: 'invalid_request' })
  await assert.rejects(acme.createWebhook({ body: { format: 'mail', to: owner.email, events: ['node.away'] } }), {
    code: 'conflict',
  })
  const { webhook } = await acme.createWebhook({ body: { ...body, events: ['server.crashed'] } })
  const member = world.client((await addMember(world, 'max@example.com')).key)
  await assert.rejects(member.webhooks({}), { code: 'forbidden' })
  await assert.rejects(member.testWebhook({ params: { webhook: webhook.id } }), { code: 'forbidden' })
  for (const id of ['whk_missing', `${webhook.id}x`]) {
    await assert.rejects(acme.webhook({ params: { webhook: id } }), { code: 'not_found' })
    await assert.rejects(acme.deleteWebhook({ params: { webhook: id } }), { code: 'not_found' })
  }
  await assert.rejects(acme.redeliver({ params: { webhook: webhook.id, delivery: 'dlv_missing' } }), {
    code: 'not_found',
  })
  await assert.rejects(acme.webhookDeliveries({ params: { webhook: webhook.id }, query: { cursor: 'x' } }), {
    code: 'invalid_request',
  })
  for (let n = 1; n < 25; n++) await acme.createWebhook({ body: { ...body, events: ['server.crashed'] } })
  await assert.rejects(acme.createWebhook({ body: { ...body, events: ['server.crashed'] } }), { code: 'conflict' })
  await acme.deleteWebhook({ params: { webhook: webhook.id } })
  assert.equal((await acme.webhooks({})).webhooks.length, 24)
})

test('a panel that is killed between a delivery and its note makes it again under the same id', async (t) => {
  const database = await file(t)
  if (database.kind !== 'sqlite') return
  const folder = dirname(database.file)
  await using receiver = await startReceiver()
  const { webhook, key } = await (async () => {
    await using world = await startAcme(database, { config: loopback, folder })
    return { ...(await hook(world, receiver.url)), key: world.key }
  })()
  const child = fork(join(import.meta.dirname, '../../../test/world/panel-process.ts'))
  const gone = once(child, 'exit')
  const listening = firstMessage(child)
  receiver.answers(() => void child.kill('SIGKILL'))
  child.send({ port: 0, dataDir: folder, templatesDir: join(folder, 'templates'), database, ...loopback })
  const { port } = (await listening) as { port: number }
  const there = createClient(publicOperations, { baseUrl: `http://127.0.0.1:${port}/api/v1`, token: key })
  // The kill may come before the reply.
  await there.testWebhook({ params: { webhook: webhook.id } }).catch(() => undefined)
  await gone
  receiver.answers(accept)
  await using world = await startPanelWorld(database, { config: loopback, folder })
  const acme = world.client(key)
  const done = await eventually(async () => {
    const { deliveries } = await acme.webhookDeliveries({ params: { webhook: webhook.id }, query: {} })
    return deliveries.find(({ state }) => state === 'delivered')
  }, 'it is delivered')
  assert.equal(done.attempts, 1)
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers['pharos-delivery']),
    [done.id, done.id],
  )
})
