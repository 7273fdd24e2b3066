import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { openNodeFiles } from '../files/index.ts'
import { type Owner, serverFiles } from '../runtime.ts'
import { ask, makeSpec, openWorld, reached, running } from '../testing/world.ts'
import { openQuotas } from './index.ts'

const run = promisify(execFile)

/** The data folder of a node on a file system with project quotas; null where this machine can make none. */
async function onQuotaDisk(t: TestContext, kind: 'ext4' | 'xfs'): Promise<string | null> {
  if (process.getuid?.() !== 0) {
    t.skip('only root can mount a disk with quotas')
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'pharos-quota-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const image = join(folder, 'disk.img')
  const disk = join(folder, 'disk')
  await mkdir(disk)
  try {
    await run('truncate', ['--size=400M', image])
    if (kind === 'ext4')
      await run('mke2fs', ['-q', '-t', 'ext4', '-O', 'project,quota', '-E', 'quotatype=prjquota', image])
    else await run('mkfs.xfs', ['-q', image])
    await run('mount', ['-o', 'loop,prjquota', image, disk])
  } catch (error) {
    // The machine's kernel, or its lack of loop devices: nothing that a package could bring.
    t.skip(`this machine cannot mount ${kind} with project quotas: ${String((error as { stderr?: string }).stderr)}`)
    return null
  }
  t.after(() => run('umount', [disk]))
  return join(disk, 'node')
}

/** Writes as the server itself would; resolves to what was said when it failed. */
async function writeAs(owner: Owner, folder: string, script: string): Promise<string> {
  const user = { uid: owner.uid, gid: owner.gid, cwd: folder }
  return run('/bin/sh', ['-c', script], user).then(
    () => '',
    (error: { stderr: string }) => error.stderr,
  )
}

for (const kind of ['ext4', 'xfs'] as const) {
  test(`${kind}: a game is refused what is beyond its limit, goes on, and may have more when the limit is raised`, async (t) => {
    const dataDir = await onQuotaDisk(t, kind)
    if (!dataDir) return
    await mkdir(dataDir)
    const quotas = await openQuotas({ dataDir, log: silentLog })
    assert.equal(quotas.refused, null)
    const world = await openWorld(t, { dataDir, quotas })
    await using files = openNodeFiles({ ...world, clock: systemClock, log: silentLog })
    const spec = await running(world.servers, await makeSpec({}, { resources: { memory: 256, disk: 32, cpu: 1 } }))
    const { id } = spec
    const space = () =>
      files.operations.space({ params: { server: id }, query: {}, body: undefined } as never) as Promise<{
        enforcement: string
      }>
    assert.equal((await space()).enforcement, 'quota')
    const write = (name: string, mib: number): string =>
      `eval (() => { require('fs').writeFileSync('${name}', Buffer.alloc(${mib} << 20, 1)); return '${name}' })()`
    await ask(world.servers, id, write('big.bin', 48), 'eval failed EDQUOT')
    assert.equal(world.servers.get(id).state().phase, 'running')
    await world.servers.put({ ...spec, revision: 2, resources: { ...spec.resources, disk: 96 } })
    await ask(world.servers, id, write('big.bin', 48), 'eval "big.bin"')
    // A node that comes back sets what holds now, and does not lose it.
    const servers = await world.reopen()
    await reached(servers, id, 'running')
    await ask(servers, id, write('more.bin', 80), 'eval failed EDQUOT')
    // What is made beside the files and moved among them is of the same project.
    const mine = await files.of(id)
    await mine.delete('/more.bin')
    const content = async function* () {
      yield Buffer.alloc(1000)
    }
    await mine.write('/new.txt', content(), { overwrite: true, expectedBytes: 1000 })
    await servers.remove(id)
    assert.deepEqual(await readdir(join(dataDir, 'servers')), [])
  })

  test(`${kind}: a server has no more files than it may, those that were there before count, and a deleted one leaves nothing`, async (t) => {
    const dataDir = await onQuotaDisk(t, kind)
    if (!dataDir) return
    await mkdir(dataDir)
    const folder = join(dataDir, 'servers/one')
    const data = join(folder, serverFiles.data)
    const owner = { uid: 41_234, gid: 41_234 }
    await mkdir(join(data, 'before'), { recursive: true })
    for (const path of [data, join(data, 'before')]) await chown(path, owner.uid, owner.gid)
    await writeFile(join(data, 'before/old'), Buffer.alloc(1024 * 1024))
    const quotas = await openQuotas({ dataDir, log: silentLog })
    const server = { folder, owner }
    await quotas.apply(server, { bytes: 2 * 1024 * 1024, files: 20 }, false)
    assert.equal(quotas.holds(folder), false)
    await quotas.apply(server, { bytes: 2 * 1024 * 1024, files: 20 }, true)
    assert.equal(quotas.holds(folder), true)
    assert.match(await writeAs(owner, data, 'head -c 1500000 /dev/zero > before/more'), /quota exceeded/i)
    assert.match(await writeAs(owner, data, 'rm before/more; for n in $(seq 30); do : > $n; done'), /quota exceeded/i)
    await quotas.remove(server)
    await quotas.remove(server)
    assert.equal(quotas.holds(folder), false)
    assert.equal(await writeAs(owner, data, 'head -c 4000000 /dev/zero > before/more'), '')
  })
}

test('a file system without project quotas is told apart by trying, in words', async () => {
  const dataDir = await mkdtemp('/dev/shm/pharos-quota-')
  try {
    const quotas = await openQuotas({ dataDir, log: silentLog })
    assert.match(quotas.refused ?? '', /no project quotas|not installed|needs root/)
    assert.deepEqual(await readdir(dataDir), [])
  } finally {
    await rm(dataDir, { recursive: true })
  }
})
