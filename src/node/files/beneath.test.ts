import assert from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { writeBeneath } from './beneath.ts'

async function folders(t: TestContext): Promise<{ root: string; outside: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-beneath-'))
  t.after(() => rm(folder, { recursive: true }))
  const root = join(folder, 'root')
  const outside = join(folder, 'outside')
  await mkdir(root)
  await mkdir(outside)
  return { root, outside }
}

const plain = { owner: null, once: false }

test('writes a file, its folders included, and replaces it as a whole', async (t) => {
  const { root } = await folders(t)
  assert.equal(await writeBeneath(root, 'a/b/c.txt', 'one', plain), true)
  assert.equal(await writeBeneath(root, 'a/b/c.txt', 'two', plain), true)
  assert.equal(await writeBeneath(root, 'a/b/c.txt', 'three', { owner: null, once: true }), false)
  assert.equal(await readFile(join(root, 'a/b/c.txt'), 'utf8'), 'two')
  assert.deepEqual(await readdir(join(root, 'a/b')), ['c.txt'])
})

for (const path of ['../x', '/etc/x', 'a/../../x', 'a//b', './a', 'a/.', '..', '', 'a\0b', 'x'.repeat(5000)]) {
  test(`refuses the path ${JSON.stringify(path.slice(0, 20))}`, async (t) => {
    const { root } = await folders(t)
    await assert.rejects(writeBeneath(root, path, 'x', plain), { code: 'forbidden' })
    assert.deepEqual(await readdir(root), [])
  })
}

test('follows no link to a folder, and replaces a link to a file instead of writing through it', async (t) => {
  const { root, outside } = await folders(t)
  await writeFile(join(outside, 'victim'), 'untouched')
  await symlink(outside, join(root, 'folder'))
  await symlink(join(outside, 'victim'), join(root, 'file'))
  await symlink(join(outside, 'new'), join(root, 'dangling'))
  await assert.rejects(writeBeneath(root, 'folder/victim', 'x', plain), { code: 'forbidden' })
  await writeBeneath(root, 'file', 'x', plain)
  assert.equal(await writeBeneath(root, 'dangling', 'x', { owner: null, once: true }), false)
  assert.ok((await lstat(join(root, 'file'))).isFile())
  assert.equal(await readFile(join(outside, 'victim'), 'utf8'), 'untouched')
  assert.deepEqual(await readdir(outside), ['victim'])
})

test('says what stands in the way', async (t) => {
  const { root } = await folders(t)
  await mkdir(join(root, 'taken'))
  await writeFile(join(root, 'file'), '')
  await assert.rejects(writeBeneath(root, 'taken', 'x', plain), /is a folder/)
  await assert.rejects(writeBeneath(root, 'file/below', 'x', plain), /not a folder/)
  assert.deepEqual((await readdir(root)).sort(), ['file', 'taken'])
})
