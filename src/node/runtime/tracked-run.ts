import { watch } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Limits, type Run, type RunEnd, type RunUsage, serverFiles } from '../runtime.ts'
import type { Cgroup } from './cgroups.ts'
import {
  descendants,
  isAlive,
  listProcesses,
  type ProcessStat,
  readStat,
  residentBytes,
  sendSignal,
  ticksPerSecond,
} from './proc.ts'
import { signalName } from './signal-names.ts'
import { type RunStatus, readStatus } from './status-file.ts'

/** How often the processes of a run are looked at, in ms. Its status file is watched too: this is for ends that it misses. */
const lookMs = 1_000

/** How long the program's end may take to be written down after a kill before the rest is killed as well, in ms. */
const killGraceMs = 2_000

/** How often something is looked at that will be there in a moment, in ms. */
const pollMs = 5

/** How long a launcher may take to say who it is, in ms: a busy machine is slow, a dead launcher never does. */
const launcherWaitMs = 10_000

/** The two shapes that a run's processes have. */
export interface Shape {
  /** The program itself: the one that gets the orderly signal. */
  main(all: readonly ProcessStat[], status: RunStatus): ProcessStat | null
  /** Every process of the run that can be found, without the one that writes the exit code. */
  members(all: readonly ProcessStat[], status: RunStatus): ProcessStat[]
}

/** bubblewrap: launcher → first process of the sandbox → the program and whatever lost its parent. */
export const sandboxShape: Shape = {
  main(all, status) {
    const children = all.filter((process) => process.parent === status.child?.pid)
    return children.toSorted((left, right) => left.startTicks - right.startTicks || left.pid - right.pid)[0] ?? null
  },
  members: (all, status) => (status.child ? descendants(all, status.child.pid) : []),
}

/** A plain session of processes: launcher (a shell that waits) → the program. */
export const sessionShape: Shape = {
  main: (all, status) => all.find((process) => process.parent === status.launcher?.pid) ?? null,
  members: (all, status) => {
    const launcher = status.launcher
    return launcher
      ? all.filter(
          (process) =>
            process.session === launcher.pid &&
            process.pid !== launcher.pid &&
            process.startTicks >= launcher.startTicks,
        )
      : []
  },
}

export interface TrackedRunOptions {
  folder: string
  shape: Shape
  cgroup: Cgroup | null
  /** The process table, for what a run uses where control groups do not count it: whoever asks at the same time shares a listing. */
  table(): Promise<readonly ProcessStat[]>
  /** Resolves when the launcher has ended, where this process is its parent. */
  launcherExited?: Promise<void>
}

/** Waits until the launcher has said who it is; null when it never does. */
export async function launcherStatus(folder: string, done: (status: RunStatus) => boolean): Promise<RunStatus | null> {
  for (let waitedMs = 0; waitedMs < launcherWaitMs; waitedMs += pollMs) {
    const status = await readStatus(join(folder, serverFiles.status))
    if (done(status) || status.exitCode !== null) return status
    if (status.launcher && !isAlive(status.launcher.pid, status.launcher.startTicks)) {
      const last = await readStatus(join(folder, serverFiles.status))
      return done(last) || last.exitCode !== null ? last : null
    }
    await sleep(pollMs)
  }
  return null
}

/** A run that was started by this node, in this life or an earlier one. */
export function trackRun(options: TrackedRunOptions): Run {
  const { folder, shape, cgroup } = options
  const statusPath = join(folder, serverFiles.status)
  const forgotten = new AbortController()
  let killed = false
  let wake: () => void = () => undefined
  let known: RunStatus | null = null
  let written = true
  const lookAtEnd = async (): Promise<RunEnd | null> => {
    try {
      // Hundreds of runs are looked at all day: the file is read again when something was written, or nothing of what it named lives.
      if (!written && known && anyAlive(known)) return null
      written = false
      known = await readStatus(statusPath)
      if (known.exitCode === null) {
        if (anyAlive(known)) return null
        known = await readStatus(statusPath)
      }
      return await clearAway(known, shape, cgroup, killed)
    } catch {
      // The process table or a control group could not be read just now: looked at again in a moment.
      return null
    }
  }

  const ended = new Promise<RunEnd>((resolve) => {
    const watcher = watch(statusPath, { persistent: false }, () => {
      written = true
      wake()
    })
    watcher.on('error', () => wake())
    void options.launcherExited?.then(() => wake())
    const loop = async (): Promise<void> => {
      for (;;) {
        const woken = new Promise<void>((done) => {
          wake = done
        })
        const end = await lookAtEnd()
        if (forgotten.signal.aborted) return
        if (end) return resolve(end)
        const timer = new AbortController()
        await Promise.race([woken, sleep(lookMs, undefined, { signal: timer.signal }).catch(() => undefined)])
        timer.abort()
        if (forgotten.signal.aborted) return
      }
    }
    forgotten.signal.addEventListener('abort', () => wake())
    void loop().finally(() => watcher.close())
  })

  return {
    ended,
    async signal(signal) {
      const status = await readStatus(statusPath)
      const main = shape.main(await listProcesses(), status)
      if (main && status.exitCode === null) sendSignal(main.pid, signal)
    },
    async kill() {
      killed = true
      const status = await readStatus(statusPath)
      if (status.exitCode === null) await killMembers(status, shape, cgroup)
      wake()
      const graceOver = sleep(killGraceMs, 'over', { ref: false })
      if ((await Promise.race([ended, graceOver])) !== 'over') return
      if (cgroup) await cgroup.kill()
      if (status.launcher && isAlive(status.launcher.pid, status.launcher.startTicks))
        sendSignal(status.launcher.pid, 'SIGKILL')
      wake()
    },
    setLimits: async (limits: Limits) => cgroup?.setLimits(limits),
    usage: async () =>
      (await cgroup?.usage()) ?? usageOf(shape.members(await options.table(), known ?? (await readStatus(statusPath)))),
    // It shares the machine's network.
    networkFolder: async () => '/proc/self/net',
    forget() {
      forgotten.abort()
    },
  }
}

/** Ends what is left of a run and says how it ended. */
export async function clearAway(
  status: RunStatus,
  shape: Shape,
  cgroup: Cgroup | null,
  killed: boolean,
): Promise<RunEnd> {
  await killMembers(status, shape, cgroup)
  const outOfMemory = (await cgroup?.ranOutOfMemory()) ?? false
  if (cgroup) {
    await launcherGone(status)
    await cgroup.kill()
    await cgroup.remove()
  }
  const signal = status.exitCode === null ? (killed ? 'SIGKILL' : null) : signalName(status.exitCode - 128)
  return { code: signal ? null : status.exitCode, signal, outOfMemory, machineRestarted: false }
}

/** Something of the run still exists: its launcher, or, where that was killed alone, its program. */
export function anyAlive(status: RunStatus): boolean {
  if (status.launcher && isAlive(status.launcher.pid, status.launcher.startTicks)) return true
  return status.child?.startTicks != null && isAlive(status.child.pid, status.child.startTicks)
}

/** Remembers when the sandbox's first process started, so that it is known again when its launcher is gone. */
export async function noteChildStart(folder: string, status: RunStatus): Promise<void> {
  const stat = status.child ? readStat(status.child.pid) : null
  if (stat && stat.parent === status.launcher?.pid)
    await appendFile(join(folder, serverFiles.status), `${JSON.stringify({ 'child-start': stat.startTicks })}\n`)
}

async function killMembers(status: RunStatus, shape: Shape, cgroup: Cgroup | null): Promise<void> {
  // Only while the launcher or the sandbox's first process provably lives does a pid mean what it meant.
  const launcherAlive = status.launcher !== null && isAlive(status.launcher.pid, status.launcher.startTicks)
  const rounds = 50
  for (let round = 0; round < rounds; round++) {
    const members = shape.members(await listProcesses(), status).filter((process) => process.state !== 'Z')
    const first = members.find((process) => process.pid === status.child?.pid)
    if (members.length === 0) break
    if (first && !launcherAlive && first.startTicks !== status.child?.startTicks) break
    if (first && launcherAlive && first.parent !== status.launcher?.pid) break
    // The launcher's id belongs to somebody else by now, and so does the session of that name.
    if (!launcherAlive && status.launcher && readStat(status.launcher.pid) !== null) break
    // The death of the first process of a sandbox takes all others with it.
    for (const process of first ? [first] : members) sendSignal(process.pid, 'SIGKILL')
    await sleep(pollMs)
  }
  if (cgroup && !launcherAlive) await cgroup.kill()
}

async function launcherGone(status: RunStatus): Promise<void> {
  for (let waitedMs = 0; waitedMs < killGraceMs; waitedMs += pollMs) {
    if (!status.launcher || !isAlive(status.launcher.pid, status.launcher.startTicks)) return
    await sleep(pollMs)
  }
}

function usageOf(all: readonly ProcessStat[]): RunUsage | null {
  const members = all.filter((process) => process.state !== 'Z')
  if (members.length === 0) return null
  return {
    memoryBytes: members.reduce((sum, member) => sum + residentBytes(member.pid), 0),
    cpuSeconds: members.reduce((sum, member) => sum + member.cpuTicks, 0) / ticksPerSecond,
    processes: members.length,
  }
}
