import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** One row of the kernel's process table. */
export interface ProcessStat {
  pid: number
  parent: number
  session: number
  /** `Z` is a process that has ended and waits to be noticed. */
  state: string
  /** When it started, in clock ticks since boot. With the pid it names one process for as long as the machine runs. */
  startTicks: number
  cpuTicks: number
}

/** Processes read without a pause: some two milliseconds, so that whoever lists thousands holds nobody up. */
const readAtOnce = 128

/** Clock ticks a second: fixed at 100 for everything that Linux shows to programs. */
export const ticksPerSecond = 100

/** Reads a line of `/proc/<pid>/stat`. The name in it is chosen by the process and may contain anything, also `) R 1`. */
export function parseStat(line: string): ProcessStat | null {
  const nameEnd = line.lastIndexOf(')')
  const pid = Number.parseInt(line, 10)
  const fields = line.slice(nameEnd + 2).split(' ')
  const number = (index: number): number => Number(fields[index])
  const stat = {
    pid,
    state: fields[0] ?? '',
    parent: number(1),
    session: number(3),
    startTicks: number(19),
    cpuTicks: number(11) + number(12),
  }
  return nameEnd > 0 && Number.isSafeInteger(stat.pid) && Number.isSafeInteger(stat.startTicks) ? stat : null
}

/**
 * The process with this id, or null when there is none.
 * Read at once: the kernel answers from memory, and the way through the thread pool costs eight times the reading.
 */
export function readStat(pid: number): ProcessStat | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return null
  }
}

/** Whether the very process that had this id and start time still runs. */
export function isAlive(pid: number, startTicks: number): boolean {
  const stat = readStat(pid)
  return stat !== null && stat.startTicks === startTicks && stat.state !== 'Z' && stat.state !== 'X'
}

/** All processes that this one can see. */
export async function listProcesses(): Promise<ProcessStat[]> {
  const found: ProcessStat[] = []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  for (const [index, pid] of pids.entries()) {
    if (index > 0 && index % readAtOnce === 0) await nextTurn()
    const stat = readStat(Number(pid))
    if (stat) found.push(stat)
  }
  return found
}

/** A listing that is shared by all who ask for it while it is made: hundreds of runs are measured in the same moment. */
export function shareListing(): () => Promise<readonly ProcessStat[]> {
  let underWay: Promise<readonly ProcessStat[]> | null = null
  return () => {
    underWay ??= listProcesses().finally(() => {
      underWay = null
    })
    return underWay
  }
}

/** Those among `all` that descend from `root`, itself included. */
export function descendants(all: readonly ProcessStat[], root: number): ProcessStat[] {
  const children = Map.groupBy(all, (process) => process.parent)
  const found = all.filter((process) => process.pid === root)
  for (let index = 0; index < found.length; index++) {
    const process = found[index]
    if (process) found.push(...(children.get(process.pid) ?? []).filter((child) => child.pid !== root))
  }
  return found
}

/** Resident memory in bytes; 0 when it has ended. */
export function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kilobytes ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Changes with every boot of the machine. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** Sends a signal; a process that is gone already is success. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
