import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { testOnEachDatabase } from '../../../test/databases.ts'
import { asBrowser } from '../../../test/world/browser-session.ts'
import { addMember, owner, signIn, startAcme } from '../../../test/world/panel.ts'
import { sshKeysPerUserMax } from './limits.ts'

const field = (value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
const line = (type: string, ...fields: (Buffer | string)[]): string =>
  `${type} ${Buffer.concat([field(type), ...fields.map(field)]).toString('base64')}`

function ed25519(): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  return line('ssh-ed25519', Buffer.from(x, 'base64url'))
}

function rsa(modulusLength: number): string {
  const { e = '', n = '' } = generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
  const modulus = Buffer.concat([Buffer.of(0), Buffer.from(n, 'base64url')])
  return line('ssh-rsa', Buffer.from(e, 'base64url'), modulus)
}

function ecdsa(): string {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  return line('ecdsa-sha2-nistp256', 'nistp256', point)
}

testOnEachDatabase('an SSH key is added, listed by its fingerprint, and removed', async (database) => {
  await using world = await startAcme(database)
  const publicKey =
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEz33NQkr6NVBDnAQSfsN6gMRfmfJNuhqRNRgWBIqK11 ada@\u001b[31mlaptop'
  const made = await world.acme.createSshKey({ body: { publicKey } })
  assert.equal(made.name, 'ada@laptop')
  assert.equal(made.type, 'ssh-ed25519')
  assert.match(made.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/)
  assert.ok(made.tokenId)
  assert.deepEqual((await world.acme.sshKeys()).sshKeys, [made])
  for (const other of [rsa(2048), ecdsa()]) await world.acme.createSshKey({ body: { publicKey: other, name: 'CI' } })
  assert.deepEqual(await world.acme.deleteSshKey({ params: { sshKey: made.id } }), { id: made.id, deleted: true })
  await assert.rejects(world.acme.deleteSshKey({ params: { sshKey: made.id } }), { code: 'not_found' })
  assert.equal((await world.acme.sshKeys()).sshKeys.length, 2)
})

testOnEachDatabase('refuses the same SSH key twice, and more than an account may have', async (database) => {
  await using world = await startAcme(database)
  const publicKey = ed25519()
  const twice = await Promise.allSettled([1, 2].map(() => world.acme.createSshKey({ body: { publicKey } })))
  assert.deepEqual(twice.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  await assert.rejects(world.acme.createSshKey({ body: { publicKey: `${publicKey} again` } }), { code: 'conflict' })
  for (let made = 1; made < sshKeysPerUserMax; made += 1)
    await world.acme.createSshKey({ body: { publicKey: ed25519() } })
  await assert.rejects(world.acme.createSshKey({ body: { publicKey: ed25519() } }), { code: 'conflict' })
})

testOnEachDatabase('refuses what is no public SSH key, or a weak one', async (database) => {
  await using world = await startAcme(database)
  const good = ed25519()
  const broken: [name: string, publicKey: string][] = [
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----'],
    ['nothing', ' '],
    ['no base64', 'ssh-ed25519 ***'],
    ['cut off', good.slice(0, -8)],
    [
      'with something behind it',
      `ssh-ed25519 ${Buffer.concat([Buffer.from(good.split(' ')[1] ?? '', 'base64'), Buffer.of(0)]).toString('base64')}`,
    ],
    ['two lines', `${good}\n${ed25519()}`],
    ['of another type than it says', good.replace('ssh-ed25519 ', 'ssh-rsa ')],
    ['of a type that nobody takes', line('ssh-dss', 'p', 'q', 'g', 'y')],
    ['of a type that objects have', line('constructor', 'x')],
    ['short RSA', rsa(1024)],
    [
      'a point that is not on the curve',
      line('ecdsa-sha2-nistp256', 'nistp256', Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])),
    ],
    ['with options before it', `command="id" ${good}`],
  ]
  for (const [name, publicKey] of broken)
    await assert.rejects(world.acme.createSshKey({ body: { publicKey } }), { code: 'invalid_request' }, name)
  assert.deepEqual((await world.acme.sshKeys()).sshKeys, [])
})

testOnEachDatabase('nobody sees or removes the SSH keys of somebody else', async (database) => {
  await using world = await startAcme(database)
  const { id } = await world.acme.createSshKey({ body: { publicKey: ed25519() } })
  const max = world.client((await addMember(world, 'max@example.com', 'owner')).key)
  assert.deepEqual(await max.sshKeys(), { sshKeys: [] })
  await assert.rejects(max.deleteSshKey({ params: { sshKey: id } }), { code: 'not_found' })
})

testOnEachDatabase('a session adds an SSH key with the password alone', async (database) => {
  await using world = await startAcme(database)
  const cookie = await signIn(world.api, owner.email, owner.password)
  const add = (body: object) => asBrowser(world.api, cookie, 'POST', '/account/ssh-keys', body)
  const publicKey = ed25519()
  assert.equal((await add({ publicKey })).status, 400)
  assert.equal((await add({ publicKey, password: 'wrong' })).status, 403)
  const added = await add({ publicKey, password: owner.password })
  assert.deepEqual([added.status, added.body.tokenId], [200, null])
})
