import type { ServerUsage } from '../../contract/node.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Run } from '../runtime.ts'
import { measureDisk } from './disk.ts'

/** What is measured: a server's processes, if it has any, and its files. */
interface Measured {
  id: string
  run: Run | null
  folder: string
}

export interface Meter extends AsyncDisposable {
  /** As last measured; null before that. */
  diskBytes(id: string): number | null
  /** Measures it now; what was known before where that cannot be done. */
  measureDisk(id: string): Promise<number | null>
}

export interface MeterOptions {
  servers(): Iterable<Measured>
  measured(id: string, usage: ServerUsage): void
  clock: Clock
  log: Log
}

/** How often the processes are measured, in ms: what a live graph needs. */
const usageMs = 2_000

/** How old the size of a running server's files may become, in ms: counting them reads every folder. */
const diskMs = 60_000

/** The same for one that does not run, whose files only people change, in ms. */
const idleDiskMs = 10 * 60_000

/** Measures all servers for as long as it lives; the files of one server at a time. */
export function startMeter(options: MeterOptions): Meter {
  const { clock, log } = options
  const closing = new AbortController()
  const disk = new Map<string, { bytes: number | null; at: number }>()
  const cpu = new WeakMap<Run, { seconds: number; at: number }>()

  const measureUsage = async ({ id, run }: Measured): Promise<void> => {
    const usage = await run?.usage()
    if (!run || !usage) return
    const now = clock.now()
    const before = cpu.get(run)
    cpu.set(run, { seconds: usage.cpuSeconds, at: now })
    const cores =
      before && now > before.at ? Math.max(0, (usage.cpuSeconds - before.seconds) / ((now - before.at) / 1000)) : 0
    options.measured(id, {
      memoryBytes: usage.memoryBytes,
      cpuCores: Math.round(cores * 1000) / 1000,
      diskBytes: disk.get(id)?.bytes ?? 0,
      networkRxBytes: null,
      networkTxBytes: null,
      processes: usage.processes,
    })
  }

  const measureOldestDisk = async (): Promise<void> => {
    const now = clock.now()
    const servers = [...options.servers()]
    for (const id of disk.keys()) if (!servers.some((server) => server.id === id)) disk.delete(id)
    const age = (server: Measured): number => now - (disk.get(server.id)?.at ?? Number.NEGATIVE_INFINITY)
    const due = servers
      .filter((server) => age(server) >= (server.run ? diskMs : idleDiskMs))
      .toSorted((left, right) => age(right) - age(left))[0]
    if (due) await measure(due)
  }

  const measure = async ({ id, folder }: Measured): Promise<number | null> => {
    const bytes = (await measureDisk(folder, closing.signal)) ?? disk.get(id)?.bytes ?? null
    disk.set(id, { bytes, at: clock.now() })
    return bytes
  }

  const every = async (work: () => Promise<unknown>): Promise<void> => {
    while (!closing.signal.aborted) {
      await work().catch((error: unknown) => log.warn({ err: error }, 'usage not measured'))
      await clock.sleep(usageMs, closing.signal).catch(() => undefined)
    }
  }
  const loops = [every(() => Promise.all([...options.servers()].map(measureUsage))), every(measureOldestDisk)]

  return {
    diskBytes: (id) => disk.get(id)?.bytes ?? null,
    async measureDisk(id) {
      const server = [...options.servers()].find((one) => one.id === id)
      return server ? measure(server) : null
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(loops)
    },
  }
}
