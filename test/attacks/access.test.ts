import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { publicOperations } from '../../src/contract/api/index.ts'
import type { Operation } from '../../src/contract/operation.ts'
import { type Sample, samples } from '../conformance/samples.ts'
import { type ConformanceWorld, startConformanceWorld } from '../conformance/world.ts'

let world: ConformanceWorld
before(async () => {
  world = await startConformanceWorld()
})
after(() => world?.[Symbol.asyncDispose]())

const made = async (): Promise<string> => {
  world.passMinutes()
  return (await world.server()).replace('servers/', '')
}

/** Asks as the owner of both servers, so that nothing but the wrong server can be the reason of a refusal. */
async function ask(operation: Operation, sample: Sample, params: Record<string, string>, key = world.ada.key) {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const reply = await fetch(world.baseUrl + path, {
    method: operation.method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(sample.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(sample.body === undefined ? {} : { body: JSON.stringify(sample.body) }),
  })
  return { status: reply.status, text: await reply.text() }
}

test('what belongs to one server is not found under another one of the same owner, by any operation (design: nested ids)', async () => {
  const mine = { serverId: await made() }
  const other = { serverId: await made() }
  const { api } = world.ada
  const allocation = (await api.allocations({ params: mine })).allocations[0]?.id ?? ''
  const { id: schedule } = await api.createSchedule({
    params: mine,
    body: { name: 'Nightly', cron: '0 4 * * *', tasks: [{ kind: 'wait', until: 'offline' }] },
  })
  await api.createDatabase({ params: mine, body: { database: 'stats', remote: '%' } })
  const [found] = await api.databases({ params: mine })
  assert.ok(found)
  const subuser = await world.share(mine.serverId, ['console.read'])
  const children: Record<string, string> = {
    allocation,
    schedule,
    subuser,
    database: String(Reflect.get(found, 'id') ?? Reflect.get(found, 'name')),
    backup: 'bak_missing',
  }
  let asked = 0
  for (const [name, operation] of Object.entries<Operation>(publicOperations)) {
    const [, child] = /\{serverId\}\/.*\{(\w+)\}/.exec(operation.path) ?? []
    if (!child) continue
    assert.ok(child in children, `${name}: this test does not know a ${child}`)
    const { status, text } = await ask(operation, samples[name as keyof typeof samples], {
      ...other,
      [child]: children[child] ?? '',
    })
    assert.equal(status, 404, `${name}: ${status} ${text}`)
    asked += 1
  }
  assert.ok(asked >= 20, `only ${asked}`)
  assert.equal((await api.allocations({ params: mine })).allocations.length, 1)
  assert.equal((await api.schedules({ params: mine })).length, 1)
  assert.equal((await api.databases({ params: mine })).length, 1)
  assert.equal((await api.subusers({ params: mine })).length, 1)
})

test('lists, numbers, logs and live events show nobody what is somebody else’s (GHSA-6888-7f3w-92jx)', async () => {
  const serverId = await made()
  const name = 'Adas secret lair'
  await world.ada.api.updateServer({ params: { serverId }, body: { name } })
  for (const stranger of [world.zoe, world.operator]) {
    for (const [operation, declared] of Object.entries<Operation>(publicOperations)) {
      if (
        declared.method !== 'GET' ||
        declared.path.includes('{') ||
        declared.access === 'instance' ||
        declared.access === 'public'
      )
        continue
      const { text } = await ask(declared, {}, {}, stranger.key)
      assert.ok(!text.includes(name) && !text.includes(serverId), `${operation} to ${stranger.email}`)
      // Ada and the operator know each other from the operator's workspace.
      assert.ok(stranger === world.operator || !text.includes('ada@example.com'), `${operation} to ${stranger.email}`)
    }
  }
  const { text } = await ask(publicOperations.instanceServers, {}, {}, world.zoe.key)
  assert.ok(!text.includes(name))
})

test('nobody raises themselves, nor changes or removes somebody of another workspace (CVE-2026-5652)', async () => {
  world.passMinutes()
  const members = (await world.ada.api.members()).members
  const ada = members.find(({ email }) => email === 'ada@example.com')
  assert.ok(ada)
  const { url } = await world.ada.api.createInvitation({ body: { email: 'friend@example.com', role: 'member' } })
  const secret = new URL(url ?? '').hash.slice(1)
  const accepted = await fetch(`${world.baseUrl}/invitations/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret, password: 'correct horse battery' }),
  })
  assert.equal(accepted.status, 200, await accepted.text())
  const before = (await world.ada.api.members()).members
  const update = publicOperations.updateMember
  for (const [key, id] of [
    [world.zoe.key, ada.id],
    [world.friend.key, ada.id],
    ...before.map(({ id }) => [world.zoe.key, id]),
  ] as [string, string][]) {
    const changed = await ask(update, { body: { role: 'owner' } }, { member: id }, key)
    assert.ok(changed.status === 403 || changed.status === 404, changed.text)
    const removed = await ask(publicOperations.removeMember, {}, { member: id }, key)
    assert.ok(removed.status === 403 || removed.status === 404, removed.text)
  }
  assert.deepEqual((await world.ada.api.members()).members, before)
})

test('no permission that does not exist, nor one for everything, can be given (P#4328)', async () => {
  const params = { serverId: await made() }
  for (const permission of ['*', 'control.*', 'control', 'admin', 'websocket.*', '', 'CONSOLE.READ', '__proto__']) {
    const { status } = await ask(
      publicOperations.createSubuser,
      { body: { userEmail: 'friend@example.com', permissions: [permission] } },
      params,
    )
    assert.equal(status, 400, permission)
  }
  await world.share(params.serverId, ['users.update', 'users.create', 'users.read'])
  const self = (await world.friend.api.account()).id
  const raised = await ask(
    publicOperations.updateSubuser,
    { body: { permissions: ['control.start'] } },
    { ...params, subuser: self },
    world.friend.key,
  )
  assert.equal(raised.status, 403)
  const given = await ask(
    publicOperations.createSubuser,
    { body: { userEmail: 'zoe@example.com', permissions: ['control.start'] } },
    params,
    world.friend.key,
  )
  assert.equal(given.status, 403)
})

test('a suspended server is neither backed up nor restored, nor written to, by its owner or a share (GHSA-v97c-v3vw-p5ff)', async () => {
  const params = { serverId: await made() }
  await world.share(params.serverId, ['backups.create', 'backups.restore', 'files.write', 'files.archive'])
  await world.operator.api.updateSuspension({ params, body: { suspended: true } })
  for (const key of [world.ada.key, world.friend.key])
    for (const name of [
      'createBackup',
      'restoreBackup',
      'writeFile',
      'startUpload',
      'decompressFile',
      'pullFile',
    ] as const) {
      const operation: Operation = publicOperations[name]
      if (operation.method === 'GET') continue
      const { status, text } = await ask(operation, samples[name], { ...params, backup: 'bak_missing' }, key)
      assert.equal(status, 403, `${name}: ${text}`)
      assert.match(text, /suspended|was? not given/)
    }
})

test('text that some engine would run is text: in names, notes, labels (CVE-2025-14700)', async () => {
  const params = { serverId: await made() }
  for (const text of [
    '{{7*7}}',
    '$' + '{7*7}',
    '<%= 7*7 %>',
    '#{7*7}',
    '{{config.token}}',
    '<script>alert(1)</script>',
    '{% debug %}',
    '%(secret)s',
    '__proto__',
    'constructor',
  ]) {
    await world.ada.api.updateServer({ params, body: { name: text } })
    assert.equal((await world.ada.api.server({ params })).name, text)
    const { id, label, token } = await world.ada.api.createToken({ body: { label: text } })
    assert.equal(label, text)
    assert.ok(token.length > 20)
    await world.ada.api.revokeToken({ params: { id } })
    const [{ id: allocation } = { id: '' }] = (await world.ada.api.allocations({ params })).allocations
    await world.ada.api.updateAllocation({ params: { ...params, allocation }, body: { notes: text } })
    assert.equal((await world.ada.api.allocations({ params })).allocations[0]?.notes, text)
  }
})

test('no name of a template, a route or a page chooses a file (CVE-2025-49132)', async () => {
  world.passMinutes()
  const names = [
    '../../../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e/etc/passwd',
    '/etc/passwd',
    'command/../../package',
    'php://filter',
    'command\u0000',
    'constructor',
    '__proto__',
    'toString',
  ]
  for (const template of names) {
    const { status, text } = await ask(publicOperations.template, {}, { template })
    assert.ok(status === 404 || status === 400, `${template}: ${status} ${text}`)
    const created = await ask(publicOperations.createServer, { body: { name: 'x', template, start: false } }, {})
    assert.ok(created.status >= 400 && created.status < 500, `${template}: ${created.status} ${created.text}`)
  }
  const origin = new URL(world.baseUrl).origin
  for (const path of [
    '/..%2f..%2fpackage.json',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/setup.js%00.html',
    '/assets/..%2f..%2f..%2fetc/passwd',
    '/locales/locale.json?locale=../../../x&namespace=y',
    '//etc/passwd',
    '/..\\..\\package.json',
  ]) {
    const reply = await fetch(origin + path)
    const text = await reply.text()
    assert.ok(!text.includes('root:') && !text.includes('"dependencies"'), path)
  }
})

test('every reply says what it is and that nothing in it runs (CVE-2025-14701)', async () => {
  world.passMinutes()
  const origin = new URL(world.baseUrl).origin
  const data = await fetch(`${world.baseUrl}/servers`, {
    headers: { authorization: `Bearer ${world.ada.key}`, accept: 'text/html' },
  })
  await data.arrayBuffer()
  assert.match(data.headers.get('content-type') ?? '', /^application\/json/)
  assert.equal(data.headers.get('x-content-type-options'), 'nosniff')
  assert.match(data.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  const page = await fetch(`${origin}/`)
  await page.arrayBuffer()
  const policy = page.headers.get('content-security-policy') ?? ''
  assert.match(policy, /default-src '(none|self)'/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.doesNotMatch(policy, /script-src[^;]*'unsafe-(inline|eval)'/)
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
})
