import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createOwners } from './owners.ts'

/** A folder for servers. */
async function openFolder(t: TestContext): Promise<string> {
  const servers = await mkdtemp(join(tmpdir(), 'pharos-owners-'))
  t.after(() => rm(servers, { recursive: true, force: true }))
  return servers
}

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'only root can give servers users of their own' }

test('a server keeps its user, also for the next life of the node', needsRoot, async (t) => {
  const folder = join(await openFolder(t), 'one')
  await mkdir(folder)
  const owner = await createOwners(7).prepare(folder)
  assert.deepEqual(await createOwners(90).prepare(folder), owner)
  assert.equal((await stat(join(folder, 'data'))).uid, owner?.uid)
})
test('servers have different users', needsRoot, async (t) => {
  const servers = await openFolder(t)
  const owners = createOwners(7)
  await mkdir(join(servers, 'one'))
  await mkdir(join(servers, 'two'))
  assert.notEqual((await owners.prepare(join(servers, 'one'))).uid, (await owners.prepare(join(servers, 'two'))).uid)
})
test('a server that comes back to where it was before keeps the user that its files have', needsRoot, async (t) => {
  const servers = await openFolder(t)
  const owners = createOwners(7)
  const [home, arriving] = [join(servers, 'one'), join(servers, 'one.arriving')]
  await mkdir(home)
  await owners.prepare(home)
  await rm(home, { recursive: true })
  await mkdir(arriving)
  const owner = await owners.prepare(arriving)
  await rename(arriving, home)
  assert.deepEqual(await owners.prepare(home), owner)
  assert.deepEqual(JSON.parse(await readFile(join(home, 'owner.json'), 'utf8')), { uid: owner?.uid })
})
