/**
 * What backups cost: one of a server's tree, and its restore over that tree, ordered through the API and made by the node,
 * beside `tar | zstd` (the same level) and back on the same tree; interleaved rounds, medians of MB of files per second. The
 * node's archive also gets a SHA-256, progress and a place that survives a power cut; the restore checks that SHA-256 first.
 *
 *   node bench/backups.ts [rounds] [megabytes of the tree]
 *
 * And what the second backup costs after 1 % of the bytes have changed, beside the first, full one: as an archive, and as a
 * snapshot of restic. CPU time is the node's own: what restic takes in its sandbox is told to nobody, and so not printed.
 *
 *   node bench/backups.ts second [megabytes of the tree]
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, stat, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from './http-load.ts'
import { cpuSeconds, type PanelAndNode, startPanelAndNode, until } from './panel-and-node.ts'

/** As in a world of a game: most bytes in large files of which a part compresses, most files small. */
const regionBytes = 8e6
const smallFilesPerRegion = 100
const smallBytes = 8_000

interface Figures {
  backup: number[]
  restore: number[]
  /** CPU time of the node, or of tar and zstd, per 100 MB of files, in ms. */
  backupCpu: number[]
  restoreCpu: number[]
}

/** Of each large file, as a game rewrites a few chunks of a region. */
const changedShare = 0.01

const [rounds = '3', megabytes = '200'] = process.argv.slice(2)
await (rounds === 'second' ? second(Number(megabytes)) : compare(Number(rounds), Number(megabytes)))

async function second(megabytes: number): Promise<void> {
  for (const format of ['zstd', 'restic'] as const) {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
    await using world = await startPanelAndNode(folder)
    const { files, bytes } = await makeTree(world.data, megabytes)
    spawnSync('chown', ['-R', `--reference=${world.data}`, world.data])
    // So that neither pays for writing the tree.
    spawnSync('sync')
    const full = await oneBackup(world, format)
    const changed = await change(world.data)
    spawnSync('sync')
    const next = await oneBackup(world, format)
    console.log(
      `${format}: ${(bytes / 1e6).toFixed(0)} MB in ${files} files, then ${(changed / 1e6).toFixed(2)} MB changed; load ${loadavg()[0]?.toFixed(1)}`,
    )
    for (const [name, { seconds, cpu, size }] of [
      ['full', full],
      ['second', next],
    ] as const)
      console.log(
        `  ${name.padEnd(6)} ${seconds.toFixed(2).padStart(6)} s  ${(format === 'zstd' ? cpu.toFixed(2) : '-').padStart(6)} s CPU  ${(size / 1e6).toFixed(2).padStart(7)} MB added`,
      )
    console.log(
      `  second of full: time ${(next.seconds / full.seconds).toFixed(2)}, bytes ${(next.size / full.size).toFixed(2)}`,
    )
  }
}

async function oneBackup(
  { api, serverId, nodePid }: PanelAndNode,
  format: 'zstd' | 'restic',
): Promise<Took & { size: number }> {
  const cpuBefore = await cpuSeconds(nodePid)
  const began = performance.now()
  const { backupId } = await api.createBackup({ params: { serverId }, body: { format } })
  let size = 0
  await until(async () => {
    const made = await api.backup({ params: { serverId, backup: backupId } })
    size = made.size
    if (made.state === 'failed') throw new Error(made.message ?? 'The backup failed')
    return made.state === 'ready'
  }, 20)
  const seconds = (performance.now() - began) / 1000
  return { seconds, cpu: (await cpuSeconds(nodePid)) - cpuBefore, size }
}

/** Rewrites a piece of each large file in its place. */
async function change(root: string): Promise<number> {
  let changed = 0
  for (let region = 0; ; region++) {
    const file = await open(join(root, `world/region-${region}`, 'region.dat'), 'r+').catch(() => null)
    if (!file) return changed
    const piece = randomBytes(regionBytes * changedShare)
    await file.write(piece, 0, piece.length, (regionBytes / 2) | 0)
    await file.close()
    changed += piece.length
  }
}

async function compare(rounds: number, megabytes: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  await using world = await startPanelAndNode(folder)
  const { files, bytes } = await makeTree(world.data, megabytes)
  // The node writes as the server's own user; so does what tar unpacks here.
  spawnSync('chown', ['-R', `--reference=${world.data}`, world.data])
  console.log(`a tree of ${(bytes / 1e6).toFixed(0)} MB in ${files} files`)
  const archive = join(folder, 'plain.tar.zst')
  const back = join(folder, 'plain')
  spawnSync('cp', ['-a', world.data, back])
  const plain: Figures = { backup: [], restore: [], backupCpu: [], restoreCpu: [] }
  const ours: Figures = { backup: [], restore: [], backupCpu: [], restoreCpu: [] }
  let size = 0
  for (let round = -1; round < rounds; round++) {
    const shell = {
      backup: shellTimes(`tar -C '${world.data}' -cf - . | zstd -3 -q -f -o '${archive}'`),
      restore: shellTimes(`zstd -dc -q '${archive}' | tar -C '${back}' -xf -`),
    }
    const node = await throughApi(world)
    size = node.size
    if (round < 0) continue
    for (const [figures, times] of [
      [plain, shell],
      [ours, node],
    ] as const) {
      figures.backup.push(bytes / 1e6 / times.backup.seconds)
      figures.restore.push(bytes / 1e6 / times.restore.seconds)
      figures.backupCpu.push((times.backup.cpu * 1000) / (bytes / 1e8))
      figures.restoreCpu.push((times.restore.cpu * 1000) / (bytes / 1e8))
    }
  }
  spawnSync('sync')
  console.log(
    `  archives: zstd ${((await stat(archive)).size / 1e6).toFixed(1)} MB, pharos ${(size / 1e6).toFixed(1)} MB`,
  )
  for (const direction of ['backup', 'restore'] as const) {
    const limit = median(plain[direction])
    const speed = median(ours[direction])
    const cpu = [plain, ours].map((figures) => median(figures[`${direction}Cpu`]).toFixed(0).padStart(5))
    console.log(direction)
    console.log(`  tar and zstd ${limit.toFixed(0).padStart(5)} MB/s  ${cpu[0]} ms CPU per 100 MB`)
    console.log(
      `  pharos       ${speed.toFixed(0).padStart(5)} MB/s  ${cpu[1]} ms CPU per 100 MB  (${(speed / limit).toFixed(2)} of tar and zstd)`,
    )
  }
}

interface Took {
  seconds: number
  cpu: number
}

function shellTimes(command: string): Took {
  const began = performance.now()
  // `times` tells what both ends of the pipe have taken.
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${command} && times`], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
  const seconds = (performance.now() - began) / 1000
  const cpu = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)]
  return { seconds, cpu: cpu.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0) }
}

async function throughApi({ api, serverId, nodePid }: PanelAndNode): Promise<{
  backup: Took
  restore: Took
  size: number
}> {
  const params = { serverId }
  const took = async (work: () => Promise<void>): Promise<Took> => {
    const cpuBefore = await cpuSeconds(nodePid)
    const began = performance.now()
    await work()
    const seconds = (performance.now() - began) / 1000
    return { seconds, cpu: (await cpuSeconds(nodePid)) - cpuBefore }
  }
  let backupId = ''
  let size = 0
  const backup = await took(async () => {
    ;({ backupId } = await api.createBackup({ params, body: {} }))
    await until(async () => {
      const made = await api.backup({ params: { serverId, backup: backupId } })
      size = made.size
      if (made.state === 'failed') throw new Error(made.message ?? 'The backup failed')
      return made.state === 'ready'
    }, 20)
  })
  const restore = await took(async () => {
    await api.restoreBackup({ params: { serverId, backup: backupId }, body: {} })
    await until(async () => {
      const { status, message } = await api.server({ params })
      if (status === 'offline' && message !== null) throw new Error(message)
      return status === 'offline'
    }, 20)
  })
  await api.deleteBackup({ params: { serverId, backup: backupId } })
  return { backup, restore, size }
}

async function makeTree(root: string, megabytes: number): Promise<{ files: number; bytes: number }> {
  let files = 0
  let bytes = 0
  for (let region = 0; bytes < megabytes * 1e6; region++) {
    const folder = join(root, `world/region-${region}`)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'region.dat'), halfRandom(regionBytes))
    for (let small = 0; small < smallFilesPerRegion; small++)
      await writeFile(join(folder, `player-${small}.json`), halfRandom(smallBytes))
    files += 1 + smallFilesPerRegion
    bytes += regionBytes + smallFilesPerRegion * smallBytes
  }
  return { files, bytes }
}

/** Every other kilobyte is noise, the rest is text. */
function halfRandom(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes, '{"level":"overworld","x":12,"y":64,"z":-7},')
  for (let at = 0; at < bytes; at += 2000) randomBytes(Math.min(1000, bytes - at)).copy(buffer, at)
  return buffer
}
