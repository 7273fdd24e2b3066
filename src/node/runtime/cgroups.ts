import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Limits, RunUsage } from '../runtime.ts'
import { sendSignal } from './proc.ts'

/** Control groups are the kernel's limits for a set of processes. Version 1 has one tree per resource, version 2 one for all. */
export interface Cgroups {
  readonly version: 1 | 2
  readonly controls: { memory: boolean; cpu: boolean; processes: boolean }
  group(name: string): Cgroup
  /** Removes this node's folder of groups where it is empty. */
  close(): Promise<void>
}

export interface Cgroup {
  /** Creates the group with these limits; ends what an earlier run left in it. Returns the files in which a process writes its id to join. */
  create(limits: Limits): Promise<string[]>
  setLimits(limits: Limits): Promise<void>
  members(): Promise<number[]>
  usage(): Promise<RunUsage | null>
  /** Whether the kernel has ended a process of the group because memory ran out. */
  ranOutOfMemory(): Promise<boolean>
  /** Ends every member, also those that fork meanwhile. */
  kill(): Promise<void>
  /** Removes the empty group. Idempotent. */
  remove(): Promise<void>
}

/** The period over which the kernel deals out CPU time, in microseconds: its own default. */
const cpuPeriodUs = 100_000

/** The shortest CPU share that the kernel accepts, in microseconds. */
const cpuQuotaUsMin = 1_000

/** How often a group is looked at until it is empty, and for how long, in ms. */
const emptyPollMs = 10
const emptyWaitMs = 5_000

/**
 * Finds the control groups that this process may write, or null.
 * @param parent the name of the folder for all groups of this node.
 * @param processesMax threads and processes per group.
 */
export async function findCgroups(
  parent: string,
  processesMax: number,
  mountTable = '/proc/self/mountinfo',
): Promise<Cgroups | null> {
  const mounts = parseMounts(await readFile(mountTable, 'utf8').catch(() => ''))
  return (await findV1(mounts, parent, processesMax)) ?? (await findV2(mounts, parent, processesMax))
}

interface Mount {
  point: string
  type: string
  options: string[]
}

function parseMounts(table: string): Mount[] {
  return table.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ')
    const point = left?.split(' ')[4]
    const [type, , options] = right?.split(' ') ?? []
    return point && type ? [{ point, type, options: options?.split(',') ?? [] }] : []
  })
}

async function findV1(mounts: Mount[], parent: string, processesMax: number): Promise<Cgroups | null> {
  const trees: Record<string, string> = {}
  for (const controller of ['memory', 'cpu', 'cpuacct', 'pids', 'freezer']) {
    const mount = mounts.find((candidate) => candidate.type === 'cgroup' && candidate.options.includes(controller))
    if (mount && (await canCreate(join(mount.point, parent)))) trees[controller] = join(mount.point, parent)
  }
  if (!trees.memory && !trees.cpu && !trees.pids) return null
  return {
    version: 1,
    controls: { memory: Boolean(trees.memory), cpu: Boolean(trees.cpu), processes: Boolean(trees.pids) },
    group: (name) => groupV1(trees, name, processesMax),
    close: () => removeEmpty(Object.values(trees)),
  }
}

function groupV1(trees: Record<string, string>, name: string, processesMax: number): Cgroup {
  const folders = [...new Set(Object.values(trees))].map((tree) => join(tree, name))
  const file = (controller: string, entry: string): string | null => {
    const tree = trees[controller]
    return tree ? join(tree, name, entry) : null
  }
  const members = async (): Promise<number[]> => readMembers(folders)
  const setLimits = async (limits: Limits): Promise<void> => {
    const bytes = String(Math.round(limits.memoryBytes))
    const total = file('memory', 'memory.memsw.limit_in_bytes')
    const memory = file('memory', 'memory.limit_in_bytes')
    if (memory) {
      // Memory may never exceed memory plus swap: the order depends on whether the limit grows or shrinks.
      await put(memory, bytes).catch(() => undefined)
      if (total) await put(total, bytes).catch(() => undefined)
      await put(memory, bytes)
    }
    await put(file('cpu', 'cpu.cfs_period_us'), String(cpuPeriodUs))
    await put(file('cpu', 'cpu.cfs_quota_us'), String(cpuQuotaUs(limits)))
    await put(file('pids', 'pids.max'), String(processesMax))
  }
  const kill = async (): Promise<void> => {
    const freezer = file('freezer', 'freezer.state')
    await untilEmpty(members, async (pids) => {
      if (freezer) await put(freezer, 'FROZEN').catch(() => undefined)
      for (const pid of new Set([...pids, ...(await members())])) sendSignal(pid, 'SIGKILL')
      if (freezer) await put(freezer, 'THAWED').catch(() => undefined)
    })
  }
  return {
    members,
    setLimits,
    kill,
    async create(limits) {
      for (const folder of folders) await mkdir(folder, { recursive: true })
      await kill()
      await setLimits(limits)
      return folders.map((folder) => join(folder, 'cgroup.procs'))
    },
    async usage() {
      const memory = readNumber(file('memory', 'memory.usage_in_bytes'))
      const cpu = readNumber(file('cpuacct', 'cpuacct.usage'))
      const processes = readNumber(file('pids', 'pids.current'))
      if (memory === null || cpu === null || processes === null) return null
      const idleCache = readEntry(file('memory', 'memory.stat'), 'total_inactive_file')
      return { memoryBytes: Math.max(0, memory - (idleCache ?? 0)), cpuSeconds: cpu / 1e9, processes }
    },
    ranOutOfMemory: async () => (readEntry(file('memory', 'memory.oom_control'), 'oom_kill') ?? 0) > 0,
    remove: () => removeFolders(folders),
  }
}

async function findV2(mounts: Mount[], parent: string, processesMax: number): Promise<Cgroups | null> {
  for (const mount of mounts.filter((candidate) => candidate.type === 'cgroup2')) {
    // The whole tree when this machine lets us, else the part of it that was handed to this process.
    const own = /^0::(.+)$/m.exec(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''))?.[1] ?? '/'
    for (const root of new Set([mount.point, join(mount.point, own)])) {
      const tree = join(root, parent)
      if (!(await canCreate(tree))) continue
      for (const folder of [root, tree]) {
        for (const controller of ['memory', 'cpu', 'pids']) {
          await put(join(folder, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined)
        }
      }
      const enabled = (await readFile(join(tree, 'cgroup.subtree_control'), 'utf8').catch(() => '')).trim().split(' ')
      const controls = {
        memory: enabled.includes('memory'),
        cpu: enabled.includes('cpu'),
        processes: enabled.includes('pids'),
      }
      if (controls.memory || controls.cpu || controls.processes) {
        return {
          version: 2,
          controls,
          group: (name) => groupV2(join(tree, name), controls, processesMax),
          close: () => removeEmpty([tree]),
        }
      }
      await rmdir(tree).catch(() => undefined)
    }
  }
  return null
}

function groupV2(folder: string, controls: Cgroups['controls'], processesMax: number): Cgroup {
  const file = (entry: string): string => join(folder, entry)
  const members = (): Promise<number[]> => readMembers([folder])
  const setLimits = async (limits: Limits): Promise<void> => {
    if (controls.memory) {
      await put(file('memory.max'), String(Math.round(limits.memoryBytes)))
      // Without swap accounting the file is missing, and then there is nothing to limit.
      await put(file('memory.swap.max'), '0').catch(() => undefined)
    }
    if (controls.cpu) await put(file('cpu.max'), `${cpuQuotaUs(limits)} ${cpuPeriodUs}`)
    if (controls.processes) await put(file('pids.max'), String(processesMax))
  }
  const kill = (): Promise<void> =>
    untilEmpty(members, async (pids) => {
      // The kernel's own way is missing before Linux 5.14.
      await put(file('cgroup.kill'), '1').catch(() => undefined)
      for (const pid of pids) sendSignal(pid, 'SIGKILL')
    })
  return {
    members,
    setLimits,
    kill,
    async create(limits) {
      await mkdir(folder, { recursive: true })
      await kill()
      await setLimits(limits)
      return [file('cgroup.procs')]
    },
    async usage() {
      const memory = readNumber(file('memory.current'))
      const cpu = readEntry(file('cpu.stat'), 'usage_usec')
      const processes = readNumber(file('pids.current'))
      if (memory === null || cpu === null || processes === null) return null
      const idleCache = readEntry(file('memory.stat'), 'inactive_file')
      return { memoryBytes: Math.max(0, memory - (idleCache ?? 0)), cpuSeconds: cpu / 1e6, processes }
    },
    ranOutOfMemory: async () => (readEntry(file('memory.events'), 'oom_kill') ?? 0) > 0,
    remove: () => removeFolders([folder]),
  }
}

const cpuQuotaUs = (limits: Limits): number => Math.max(cpuQuotaUsMin, Math.round(limits.cpuCores * cpuPeriodUs))

/** The control files cannot be created, only opened: `r+` keeps a wrong path from becoming a plain file. */
async function put(path: string | null, text: string): Promise<void> {
  if (path !== null) await writeFile(path, text, { flag: 'r+' })
}

async function canCreate(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true })
    const probe = join(folder, `probe-${process.pid}`)
    await mkdir(probe)
    await rmdir(probe)
    return true
  } catch {
    return false
  }
}

async function removeEmpty(folders: readonly string[]): Promise<void> {
  // Groups of servers that still run keep it.
  for (const folder of folders) await rmdir(folder).catch(() => undefined)
}

function readNumber(path: string | null): number | null {
  const text = readControl(path)
  return /^\d+$/.test(text.trim()) ? Number(text) : null
}

function readEntry(path: string | null, key: string): number | null {
  const line = readControl(path)
    .split('\n')
    .find((candidate) => candidate.startsWith(`${key} `))
  return line === undefined ? null : Number(line.slice(key.length + 1))
}

/** What a control file says; nothing where there is none. Read at once, for the reason that `readStat` gives. */
function readControl(path: string | null): string {
  try {
    return path === null ? '' : readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function readMembers(folders: readonly string[]): Promise<number[]> {
  const texts = await Promise.all(
    folders.map((folder) => readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')),
  )
  return [
    ...new Set(
      texts.flatMap((text) =>
        text
          .split('\n')
          .filter((line) => line !== '' && line !== '0')
          .map(Number),
      ),
    ),
  ]
}

async function untilEmpty(members: () => Promise<number[]>, act: (pids: number[]) => Promise<void>): Promise<void> {
  for (let waitedMs = 0; waitedMs < emptyWaitMs; waitedMs += emptyPollMs) {
    const pids = await members()
    if (pids.length === 0) return
    await act(pids)
    await sleep(emptyPollMs)
  }
  throw new Error(`processes ${(await members()).join(', ')} do not end`)
}

async function removeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let waitedMs = 0; waitedMs < emptyWaitMs; waitedMs += emptyPollMs) {
      // A group that a server made inside its own goes first.
      for (const inner of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        if (inner.isDirectory()) await rmdir(join(folder, inner.name)).catch(() => undefined)
      }
      try {
        await rmdir(folder)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') break
        // A process that has just ended keeps its group busy for a moment.
        await sleep(emptyPollMs)
      }
    }
  }
}
