import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { makeSpec, openWorld, reached, running, type World } from '../testing/world.ts'

const run = promisify(execFile)

/** A node on a disk of 4 MiB, or null where this test may not mount one. */
async function onSmallDisk(t: TestContext): Promise<World | null> {
  if (process.getuid?.() !== 0) {
    t.skip('only root can mount a small disk')
    return null
  }
  const disk = await mkdtemp(join(tmpdir(), 'pharos-full-'))
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
  const world = await openWorld(t, { dataDir: join(disk, 'node') })
  t.after(async () => {
    await run('umount', [disk])
    await rm(disk, { recursive: true })
  })
  return world
}

async function fill(folder: string): Promise<void> {
  const chunk = Buffer.alloc(256 * 1024)
  for (let part = 0; ; part++) {
    try {
      await writeFile(join(folder, `filler-${part}`), chunk)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
      throw error
    }
  }
}

test('a template that does not fit on the disk fails with words, and leaves no half-written file', async (t) => {
  const world = await onSmallDisk(t)
  if (!world) return
  const spec = await makeSpec(
    { files: [{ path: 'big.txt', content: '{{BIG}}'.repeat(2000) }] },
    { variables: { BIG: 'x'.repeat(4000) } },
  )
  await world.servers.put(spec)
  const state = await reached(world.servers, spec.id, 'install_failed')
  assert.match(state.message ?? '', /"big\.txt" could not be written: the disk of this node is full/)
  assert.deepEqual(await readdir(join(world.dataDir, 'servers', spec.id, 'data')), [])
})

test('a new server on a full disk is refused and leaves nothing', async (t) => {
  const world = await onSmallDisk(t)
  if (!world) return
  await fill(world.dataDir)
  const spec = await makeSpec()
  await assert.rejects(world.servers.put(spec), /disk of this node is full/)
  assert.deepEqual(await readdir(join(world.dataDir, 'servers')), [])
  assert.deepEqual(world.servers.list(), [])
})

test('a running server on a full disk can still be stopped', async (t) => {
  const world = await onSmallDisk(t)
  if (!world) return
  const { id } = await running(world.servers, await makeSpec())
  await fill(world.dataDir)
  await world.servers.get(id).power('stop')
  const state = await reached(world.servers, id, 'offline')
  assert.equal(state.lastExit?.code, 0)
})
