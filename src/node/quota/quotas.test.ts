import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { silentLog } from '../../lib/log.ts'
import { type Owner, serverFiles } from '../runtime.ts'
import { openQuotas } from './index.ts'

const run = promisify(execFile)

interface QuotaDisk {
  dataDir: string
  /** To be called when nothing uses it any more. */
  release(): Promise<void>
}

/** An empty data folder on a file system with project quotas; null where this machine can make none. */
async function onQuotaDisk(t: TestContext, kind: 'ext4' | 'xfs'): Promise<QuotaDisk | null> {
  if (process.getuid?.() !== 0) {
    t.skip('only root can mount a disk with quotas')
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'pharos-quota-'))
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
    await rm(folder, { recursive: true })
    t.skip(`this machine cannot mount ${kind} with project quotas: ${String((error as { stderr?: string }).stderr)}`)
    return null
  }
  const dataDir = join(disk, 'node')
  await mkdir(dataDir)
  return {
    dataDir,
    async release() {
      await run('umount', [disk])
      await rm(folder, { recursive: true })
    },
  }
}

/** Writes as the server itself would; resolves to what was said when it failed. */
async function writeAs(owner: Owner, folder: string, script: string): Promise<string> {
  const user = { uid: owner.uid, gid: owner.gid, cwd: folder }
  return run('/bin/sh', ['-c', script], user).then(
    () => '',
    (error: { stderr: string }) => error.stderr,
  )
}

/** What the kernel answers: XFS takes the limit of a project for the size of a disk. */
const refusals = { ext4: /quota exceeded/i, xfs: /no space left/i }

for (const kind of ['ext4', 'xfs'] as const) {
  test(`${kind}: a server has no more files than it may, those that were there before count, and a deleted one leaves nothing`, async (t) => {
    const disk = await onQuotaDisk(t, kind)
    if (!disk) return
    t.after(disk.release)
    const { dataDir } = disk
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
    assert.match(await writeAs(owner, data, 'head -c 1500000 /dev/zero > before/more'), refusals[kind])
    assert.match(await writeAs(owner, data, 'rm before/more; for n in $(seq 30); do : > $n; done'), refusals[kind])
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
