import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openSealer } from './seal.ts'
import { Secret } from './secret.ts'

async function keyFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-seal-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'key')
}

test('opens what it sealed, also after a restart, and never seals the same way twice', async (t) => {
  const file = await keyFile(t)
  const secret = new Secret('pässword')
  const first = await openSealer(file)
  const sealed = first.seal(secret, 'db_1')
  assert.notEqual(first.seal(secret, 'db_1'), sealed)
  assert.ok(!sealed.includes('word'))
  assert.equal((await openSealer(file)).open(sealed, 'db_1').reveal(), 'pässword')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
})

test('several that start at once agree on one key', async (t) => {
  const file = await keyFile(t)
  const sealers = await Promise.all(Array.from({ length: 8 }, () => openSealer(file)))
  const sealed = sealers.map((sealer) => sealer.seal(new Secret('one'), 'p'))
  for (const sealer of sealers) for (const text of sealed) assert.equal(sealer.open(text, 'p').reveal(), 'one')
})

test('refuses what was sealed for something else, under another key, or was changed', async (t) => {
  const sealer = await openSealer(await keyFile(t))
  const other = await openSealer(await keyFile(t))
  const sealed = sealer.seal(new Secret('secret'), 'db_1')
  assert.throws(() => sealer.open(sealed, 'db_2'), /db_2 is damaged or belongs to something else/)
  assert.throws(() => other.open(sealed, 'db_1'), /another key/)
  const changed = sealed.slice(0, -3) + (sealed.endsWith('AAA') ? 'BBB' : 'AAA')
  for (const broken of ['', sealed.slice(0, 20), changed]) assert.throws(() => sealer.open(broken, 'db_1'))
  assert.ok(sealer.knows(sealed) && !other.knows(sealed))
})

test('refuses a key file that is damaged, and leaves it as it is', async (t) => {
  const file = await keyFile(t)
  await writeFile(file, 'short')
  await assert.rejects(openSealer(file), /damaged/)
  assert.equal(await readFile(file, 'utf8'), 'short')
})
