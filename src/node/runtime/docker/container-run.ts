import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../lib/log.ts'
import type { Limits, Run, RunEnd } from '../../runtime.ts'
import { readBootId } from '../proc.ts'
import { signalName } from '../signal-names.ts'
import type { ContainerState, Engine } from './engine.ts'
import { type ContainerMarker, readMarker, writeMarker } from './marker.ts'

/** How long to wait before an engine that does not answer is asked again, in ms: it is being restarted, or somebody will see to it. */
const awayMs = 500

/** The signal that an engine's exit code means where somebody or something killed it: 128 + 9. */
const killedCode = 137

export interface TrackedContainer {
  folder: string
  marker: ContainerMarker
  /** The engine as it is reached now; rejects while it is away. */
  engine(): Promise<Engine>
  processesMax: number
  log: Log
}

/** A container that was begun by this node, in this life or an earlier one. Its end is on disk before it is told. */
export function trackContainer(options: TrackedContainer): Run {
  const { folder, marker, engine, log } = options
  const { name } = marker
  const forgotten = new AbortController()
  let killed = marker.phase === 'killed'

  const watch = async (): Promise<RunEnd | null> => {
    // Whether the engine went away since we know that it runs: then its end was perhaps the engine's doing.
    let wasAway = false
    for (let complained = false; !forgotten.signal.aborted; ) {
      try {
        const now = await engine()
        // One that was away must be back, and not merely not quite gone.
        if (wasAway) await now.ping()
        const state = await now.inspect(name)
        if (state?.status === 'running') {
          await now.wait(name, forgotten.signal)
          // An engine that shuts down takes no new connections, then ends its containers.
          await now.ping()
        } else return await endOf({ folder, marker, state, killed, engineRestarted: wasAway, engine: now })
      } catch (error) {
        if (forgotten.signal.aborted) return null
        wasAway = true
        if (!complained) log.warn({ err: error, container: name }, 'the container engine does not answer; asking again')
        complained = true
        await sleep(awayMs, undefined, { signal: forgotten.signal }).catch(() => undefined)
      }
    }
    return null
  }

  return {
    ended: new Promise<RunEnd>((resolve) => {
      void watch().then((end) => {
        if (end) resolve(end)
      })
    }),
    signal: async (signal) => (await engine()).kill(name, signal),
    async kill() {
      killed = true
      await writeMarker(folder, { ...marker, phase: 'killed' })
      await (await engine()).kill(name, 'SIGKILL')
    },
    setLimits: async (limits: Limits) => (await engine()).setLimits(name, limits, options.processesMax),
    usage: async () => (await engine()).usage(name),
    async networkFolder() {
      const pid = (await (await engine()).inspect(name))?.pid ?? 0
      return pid > 0 ? `/proc/${pid}/net` : null
    },
    forget: () => forgotten.abort(),
  }
}

/** Writes down how a container ended, then removes it. */
export async function endOf(ended: {
  folder: string
  marker: ContainerMarker
  /** Null where somebody has removed it. */
  state: ContainerState | null
  killed: boolean
  engineRestarted: boolean
  engine: Engine
}): Promise<RunEnd> {
  const { folder, marker, state, engine } = ended
  const known = (await readMarker(folder))?.end
  if (known) return { ...known }
  const killed = ended.killed || (await readMarker(folder))?.phase === 'killed'
  const ran = state !== null && state.status === 'ended'
  const signal = ran ? signalName(state.exitCode - 128) : killed ? 'SIGKILL' : null
  const end: RunEnd = {
    code: ran && !signal ? state.exitCode : null,
    signal,
    outOfMemory: ran && (state.outOfMemory || diedOfMemory(engine, state, killed || ended.engineRestarted)),
    machineRestarted: !killed && marker.boot !== (await readBootId()),
    ...(ended.engineRestarted && !killed ? { engineRestarted: true } : {}),
  }
  const { engineRestarted: _, ...kept } = end
  await writeMarker(folder, { ...marker, end: kept })
  await engine.remove(marker.name)
  return end
}

/** Podman does not reliably say that memory ran out (containers/podman before 4.7): there a kill that nobody ordered counts as that. */
const diedOfMemory = ({ facts }: Engine, state: ContainerState, explained: boolean): boolean =>
  facts.kind === 'podman' && state.exitCode === killedCode && !explained
