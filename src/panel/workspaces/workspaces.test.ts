import assert from 'node:assert/strict'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { addMember, owner, startAcme } from '../../../test/world/panel.ts'

testOnEachDatabase('makes, lists and renames workspaces; a slug belongs to one', async (database) => {
  await using world = await startAcme(database)
  const second = await world.acme.createWorkspace({ body: { name: 'Second', slug: 'second' } })
  assert.equal(second.role, 'owner')
  assert.equal(second.tunnelBase, 'second.localhost')
  await assert.rejects(world.acme.createWorkspace({ body: { name: 'Again', slug: 'acme' } }), { code: 'conflict' })
  await assert.rejects(world.acme.createWorkspace({ body: { name: 'Bad', slug: '-' } }), { code: 'invalid_request' })
  assert.equal((await world.acme.updateWorkspace({ body: { name: 'Renamed' } })).name, 'Renamed')
  assert.equal((await world.acme.workspace()).name, 'Renamed')
  const { workspaces } = await world.acme.workspaces()
  assert.deepEqual(
    workspaces.map(({ slug, name }) => [slug, name]),
    [
      ['acme', 'Renamed'],
      ['second', 'Second'],
    ],
  )
})

testOnEachDatabase('gives one of two that want the same slug at the same moment', async (database) => {
  await using world = await startAcme(database)
  const outcomes = await Promise.allSettled(
    [1, 2, 3].map((number) => world.acme.createWorkspace({ body: { name: `W${number}`, slug: 'wanted' } })),
  )
  assert.deepEqual(
    outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : [])),
    ['conflict', 'conflict'],
  )
})

testOnEachDatabase('keeps a person to twenty workspaces', async (database) => {
  await using world = await startAcme(database)
  for (let number = 1; number < 20; number++)
    await world.acme.createWorkspace({ body: { name: `W${number}`, slug: `w${number}` } })
  await assert.rejects(world.acme.createWorkspace({ body: { name: 'One more', slug: 'more' } }), { code: 'forbidden' })
})

testOnEachDatabase('lets nobody deal with roles above their own, nor take the last owner away', async (database) => {
  await using world = await startAcme(database)
  const admin = await addMember(world, 'admin@example.com', 'admin')
  const member = await addMember(world, 'member@example.com')
  const asAdmin = world.client(admin.key)
  const asMember = world.client(member.key)
  const ada = world.account.id
  for (const refused of [
    () => asMember.createInvitation({ body: { email: 'x@example.com' } }),
    () => asMember.updateMember({ params: { member: member.userId }, body: { role: 'admin' } }),
    () => asMember.removeMember({ params: { member: admin.userId } }),
    () => asMember.updateWorkspace({ body: { name: 'Mine' } }),
    () => asMember.invitations(),
    () => asAdmin.createInvitation({ body: { email: 'x@example.com', role: 'owner' } }),
    () => asAdmin.updateMember({ params: { member: admin.userId }, body: { role: 'owner' } }),
    () => asAdmin.updateMember({ params: { member: ada }, body: { role: 'member' } }),
    () => asAdmin.removeMember({ params: { member: ada } }),
  ])
    await assert.rejects(refused(), { code: 'forbidden' })
  await assert.rejects(world.acme.removeMember({ params: { member: ada } }), { code: 'conflict' })
  await assert.rejects(world.acme.updateMember({ params: { member: ada }, body: { role: 'admin' } }), {
    code: 'conflict',
  })
  await assert.rejects(world.acme.removeMember({ params: { member: 'usr_nobody' } }), { code: 'not_found' })
  assert.equal(
    (await asAdmin.updateMember({ params: { member: member.userId }, body: { role: 'admin' } })).role,
    'admin',
  )
  assert.equal((await asMember.updateWorkspace({ body: { name: 'Ours' } })).name, 'Ours')
})

testOnEachDatabase('takes keys and invitations away with the member, at once', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com', 'admin')
  const asBob = world.client(bob.key)
  const { url } = await asBob.createInvitation({ body: { email: 'friend@example.com', role: 'admin' } })
  assert.deepEqual(await world.acme.removeMember({ params: { member: bob.userId } }), { id: bob.userId, removed: true })
  await assert.rejects(asBob.workspace(), { code: 'unauthorized' })
  const { tokens } = await world.acme.tokens()
  assert.ok(tokens.find(({ createdBy }) => createdBy === 'bob@example.com')?.revokedAt)
  await assert.rejects(
    world.client().acceptInvitation({ body: { secret: url?.split('#')[1] ?? '', password: 'a good password' } }),
    { code: 'unauthorized' },
  )
  const reply = await fetch(`${world.api}/workspace`, { headers: { cookie: bob.cookie } })
  assert.equal(reply.status, 403)
})

testOnEachDatabase('lets one of two owners who leave at the same moment stay', async (database) => {
  await using world = await startAcme(database)
  const bob = await addMember(world, 'bob@example.com', 'owner')
  await Promise.allSettled([
    world.acme.updateMember({ params: { member: world.account.id }, body: { role: 'member' } }),
    world.client(bob.key).updateMember({ params: { member: bob.userId }, body: { role: 'member' } }),
  ])
  const { members } = await world.acme.members()
  assert.equal(members.filter(({ role }) => role === 'owner').length, 1)
  assert.ok(members.some(({ email }) => email === owner.email))
})
