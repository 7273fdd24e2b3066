import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { findNodeTools } from '../runtime/node-tools.ts'
import { createDebianPackages } from './debian.ts'
import { type NpmPackages, openSharedPackages } from './packages.ts'

/** Packages without packages: npm needs no network for them. */
const nothing: NpmPackages = {
  packageJson: JSON.stringify({ name: 'nothing', version: '1.0.0' }),
  packageLock: JSON.stringify({
    name: 'nothing',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': { name: 'nothing', version: '1.0.0' } },
  }),
  files: [{ name: 'launch.cjs', content: 'hello' }],
}

async function inFolder(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-packages-'))
  t.after(() => rm(folder, { recursive: true }))
  const open = async (): ReturnType<typeof openSharedPackages> => {
    const packages = await openSharedPackages(folder, await findNodeTools())
    t.after(() => packages[Symbol.asyncDispose]())
    return packages
  }
  return { folder, open }
}

const patient = new AbortController().signal

test('who asks for the same packages at the same time waits for one installation', async (t) => {
  const { folder, open } = await inFolder(t)
  const packages = await open()
  const began: string[] = []
  await Promise.all([1, 2, 3].map(() => packages.ensure(nothing, (line) => began.push(line), patient)))
  assert.equal(began.filter((line) => line === 'Installing packages with npm').length, 3)
  assert.equal((await readdir(folder)).length, 1)
  const final = packages.folderOf(nothing)
  assert.equal(await readFile(join(final, 'launch.cjs'), 'utf8'), 'hello')
  assert.equal((await stat(final)).mode & 0o777, 0o755)
  await packages.ensure(nothing, () => assert.fail('it is there already'), patient)
})

test('other packages, or another file beside them, are another folder', async (t) => {
  const packages = await (await inFolder(t)).open()
  assert.notEqual(packages.folderOf(nothing), packages.folderOf({ ...nothing, files: [] }))
  assert.notEqual(packages.folderOf(nothing), packages.folderOf({ ...nothing, packageJson: '{}' }))
})

test('a failure tells what npm said and leaves nothing, and may be repeated', async (t) => {
  const { folder, open } = await inFolder(t)
  const packages = await open()
  const broken = {
    ...nothing,
    packageJson: JSON.stringify({ name: 'nothing', version: '1.0.0', dependencies: { absent: '1.0.0' } }),
  }
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(
      packages.ensure(broken, () => undefined, patient),
      /npm failed: /,
    )
    assert.deepEqual(await readdir(folder), [])
  }
})

test('who has waited enough leaves; the installation goes on for the others', async (t) => {
  const packages = await (await inFolder(t)).open()
  const impatient = new AbortController()
  const leaving = packages.ensure(nothing, () => undefined, impatient.signal)
  const staying = packages.ensure(nothing, () => undefined, patient)
  impatient.abort(new Error('enough'))
  await assert.rejects(leaving, /enough/)
  await staying
})

test('what an earlier life left unfinished is removed', async (t) => {
  const { folder, open } = await inFolder(t)
  await mkdir(join(folder, 'abc.1234.tmp'))
  await open()
  assert.deepEqual(await readdir(folder), [])
})

test('where only root can install, the message is the command', async (t) => {
  const debian = createDebianPackages(false)
  try {
    await debian.ensure(['pharos-no-such-package'], () => undefined, patient)
    assert.fail('it cannot be there')
  } catch (error) {
    if (error instanceof Error && error.message.includes('no Debian')) return t.skip('this machine has no dpkg')
    assert.match(String(error), /apt-get install --no-install-recommends pharos-no-such-package/)
  }
})
