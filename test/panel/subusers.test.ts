import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ServerPermission, serverPermissions } from '../../src/contract/permissions.ts'
import { hashSecret } from '../../src/lib/secret.ts'
import { refused } from '../refused.ts'
import { type JoinedFake, keyOf, type Person, type ServersWorld, startServersWorld } from '../world/servers-world.ts'

let world: ServersWorld
let ada: Person
let outside: string
let node: JoinedFake
let key: string
before(async () => {
  world = await startServersWorld()
  const workspaceId = await world.workspace('acme')
  outside = await world.workspace('outside')
  ada = await world.person('ada@example.com', { workspaceId, role: 'owner' }, { instanceAdmin: true })
  node = await world.node(ada, { name: 'one', publicAddress: 'play.example.org' })
  const { id } = await ada.api.createServer({ body: { name: 'Shared', template: 'paper' } })
  key = keyOf(id)
})
after(() => world[Symbol.asyncDispose]())

let people = 0
const person = (name = `person${people++}`) =>
  world.person(`${name}@example.com`, { workspaceId: outside, role: 'member' })
const helper = async (...permissions: ServerPermission[]) => {
  const who = await person()
  await world.share(key, who.userId, permissions)
  return who
}
const of = (subuser: string) => ({ params: { serverId: key, subuser } })
const add = (who: Person, userEmail: string, permissions: ServerPermission[]) =>
  who.api.createSubuser({ params: { serverId: key }, body: { userEmail, permissions } })

describe('adding somebody', () => {
  test('who is known works at once, whatever the case of their address', async () => {
    const bob = await person('bob')
    const added = await add(ada, 'BOB@Example.com', ['console.read', 'control.start', 'console.read'])
    assert.deepEqual(added, {
      message: 'Subuser created',
      userId: bob.userId,
      mailed: false,
      invitationUrl: null,
    })
    assert.equal((await bob.api.server({ params: { serverId: key } })).name, 'Shared')
    assert.deepEqual(await ada.api.subuser(of(bob.userId)), {
      id: bob.userId,
      email: 'bob@example.com',
      permissions: ['control.start', 'console.read'],
      pending: false,
    })
    assert.ok((await ada.api.subusers({ params: { serverId: key } })).some(({ id }) => id === bob.userId))
  })
  test('who is not known gives a link, shown once and stored as a hash', async () => {
    const { userId, invitationUrl } = await add(ada, 'new@example.com', ['console.read'])
    const secret = /^http:\/\/panel\.test\/invitation#(phi_.+)$/.exec(invitationUrl ?? '')?.[1]
    assert.ok(secret)
    const row = await world.db.kysely.selectFrom('invitations').selectAll().where('id', '=', userId).executeTakeFirst()
    assert.equal(row?.secret_hash, hashSecret(secret))
    assert.ok(!JSON.stringify(row).includes(secret))
    assert.deepEqual(await ada.api.subuser(of(userId)), {
      id: userId,
      email: 'new@example.com',
      permissions: ['console.read'],
      pending: true,
    })
    const again = await add(ada, 'new@example.com', ['files.read'])
    const pending = (await ada.api.subusers({ params: { serverId: key } })).filter(
      ({ email }) => email === 'new@example.com',
    )
    assert.deepEqual(
      pending.map(({ id, permissions }) => [id, permissions]),
      [[again.userId, ['files.read']]],
    )
  })
  test('twice is refused', async () => {
    const bob = await person()
    await add(ada, bob.email, [])
    await assert.rejects(add(ada, bob.email, ['console.read']), refused('conflict', /has Shared already/))
  })
  test('the owner, or oneself, is refused', async () => {
    const bob = await helper('users.create', 'console.read')
    await assert.rejects(add(bob, 'ada@example.com', ['console.read']), refused('conflict', /owns Shared/))
    await assert.rejects(add(bob, bob.email, ['console.read']), refused('forbidden', /yourself/))
    await assert.rejects(add(ada, ada.email, []), refused('forbidden', /yourself/))
  })
  test('with more than one holds is refused, and names what is missing', async () => {
    const bob = await helper('users.create', 'console.read')
    const carol = await person()
    await assert.rejects(
      add(bob, carol.email, ['console.read', 'control.kill', 'files.write']),
      refused('forbidden', /control\.kill, files\.write/),
    )
    await assert.rejects(add(bob, 'nobody@example.com', [...serverPermissions]), refused('forbidden', /./))
    await add(bob, carol.email, ['console.read', 'users.create'])
  })
  for (const unknown of ['*', 'console', 'admin', 'console.read ', 'control.*', '__proto__'])
    test(`with the unknown permission ${JSON.stringify(unknown)} is refused`, async () => {
      await assert.rejects(
        // @ts-expect-error: not a permission
        add(ada, 'x@example.com', [unknown]),
        refused('invalid_request', /permissions/),
      )
    })
  for (const email of ['', 'nobody', 'a@b@c', `${'a'.repeat(255)}@example.com`])
    test(`with the address ${JSON.stringify(email.slice(0, 10))} is refused`, async () => {
      await assert.rejects(add(ada, email, []), refused('invalid_request', /userEmail/))
    })
})

describe('changing somebody', () => {
  test('is felt by their next request', async () => {
    const bob = await helper('console.read')
    await bob.api.consoleLog({ params: { serverId: key } })
    assert.deepEqual(await ada.api.updateSubuser({ ...of(bob.userId), body: { permissions: ['control.start'] } }), {
      message: 'Permissions updated',
    })
    await assert.rejects(bob.api.consoleLog({ params: { serverId: key } }), refused('forbidden', /./))
  })
  test('oneself is refused, and so is raising oneself through a new permission', async () => {
    const bob = await helper('users.update', 'console.read')
    await assert.rejects(
      bob.api.updateSubuser({ ...of(bob.userId), body: { permissions: [...serverPermissions] } }),
      refused('forbidden', /yourself/),
    )
  })
  test('may neither give nor take what one does not hold; what stays as it was may stay', async () => {
    const bob = await helper('users.update', 'console.read')
    const carol = await helper('files.write')
    const change = (permissions: ServerPermission[]) =>
      bob.api.updateSubuser({ ...of(carol.userId), body: { permissions } })
    await assert.rejects(change(['files.write', 'control.kill']), refused('forbidden', /control\.kill/))
    await assert.rejects(change([]), refused('forbidden', /files\.write/))
    await change(['files.write', 'console.read'])
  })
  test('the owner is refused', async () => {
    const bob = await helper('users.update', 'users.delete')
    await assert.rejects(
      bob.api.updateSubuser({ ...of(ada.userId), body: { permissions: [] } }),
      refused('forbidden', /owner/),
    )
    await assert.rejects(bob.api.deleteSubuser(of(ada.userId)), refused('forbidden', /owner/))
  })
  test('of another server, or nobody, is not found', async () => {
    const { id } = await ada.api.createServer({ body: { name: 'Other', template: 'paper' } })
    const bob = await person()
    await world.share(keyOf(id), bob.userId, [])
    for (const subuser of [bob.userId, 'usr_nope', '%']) {
      await assert.rejects(ada.api.subuser(of(subuser)), refused('not_found', /not found/))
      await assert.rejects(
        ada.api.updateSubuser({ ...of(subuser), body: { permissions: [] } }),
        refused('not_found', /not found/),
      )
      await assert.rejects(ada.api.deleteSubuser(of(subuser)), refused('not_found', /not found/))
    }
  })
  test('who loses a permission loses the invitations made with it', async () => {
    const bob = await helper('users.create', 'console.read')
    const { userId } = await add(bob, 'friend@example.com', ['console.read'])
    await ada.api.updateSubuser({ ...of(bob.userId), body: { permissions: ['users.create'] } })
    await assert.rejects(ada.api.subuser(of(userId)), refused('not_found', /./))
  })
})

describe('removing somebody', () => {
  test('makes the server disappear for them at once', async () => {
    const bob = await helper('console.read')
    await bob.api.server({ params: { serverId: key } })
    assert.deepEqual(await ada.api.deleteSubuser(of(bob.userId)), { message: 'Subuser removed successfully' })
    await assert.rejects(bob.api.server({ params: { serverId: key } }), refused('not_found', /./))
    assert.deepEqual(await bob.api.servers(), [])
  })
  test('withdraws an invitation', async () => {
    const { userId } = await add(ada, 'withdrawn@example.com', [])
    await ada.api.deleteSubuser(of(userId))
    await assert.rejects(ada.api.subuser(of(userId)), refused('not_found', /./))
  })
  test('needs its own permission', async () => {
    const bob = await helper('users.read', 'users.create', 'users.update')
    const carol = await helper()
    await assert.rejects(bob.api.deleteSubuser(of(carol.userId)), refused('forbidden', /./))
    const dave = await helper('users.delete')
    await dave.api.deleteSubuser(of(carol.userId))
  })
  test('oneself is refused', async () => {
    const bob = await helper('users.delete')
    await assert.rejects(bob.api.deleteSubuser(of(bob.userId)), refused('forbidden', /yourself/))
  })
})

test('a deleted server takes its subusers and invitations with it', async () => {
  const { id } = await ada.api.createServer({ body: { name: 'Short', template: 'paper' } })
  const bob = await person()
  await world.share(keyOf(id), bob.userId, [])
  await ada.api.createSubuser({
    params: { serverId: keyOf(id) },
    body: { userEmail: 'late@example.com', permissions: [] },
  })
  await ada.api.deleteServer({ params: { serverId: keyOf(id) } })
  assert.ok(!node.servers.has(keyOf(id)))
  for (const table of ['subusers', 'invitations'] as const)
    assert.deepEqual(
      await world.db.kysely.selectFrom(table).selectAll().where('server_id', '=', keyOf(id)).execute(),
      [],
    )
})
