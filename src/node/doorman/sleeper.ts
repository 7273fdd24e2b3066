import type { Players } from '../../contract/node-watching.ts'
import type { GameQuery } from '../../contract/template.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Server } from '../supervisor/server.ts'
import { queryGame } from '../watching/query/index.ts'
import { portOf } from '../watching/watcher.ts'
import { type ConnectionTables, connectionTables, sightOf } from './connections.ts'
import { afterLook, beganToRun, type Idleness, type Sight } from './idleness.ts'
import { idleLookEveryMs } from './limits.ts'

/** What is used of a server. */
export type SleepyServer = Pick<Server, 'id' | 'spec' | 'state' | 'run' | 'fallAsleep' | 'cannotSleep'>

export interface SleeperOptions {
  servers(): Iterable<SleepyServer>
  /** Who plays, as far as it is known. */
  players(): ReadonlyMap<string, Players>
  clock: Clock
  log: Log
  /** How a game is asked: on this machine unless given. */
  query?: typeof queryGame
}

/** Puts running servers to sleep that nobody has used for long enough, for as long as it lives. */
export function startSleeper({ servers, players, clock, log, query = queryGame }: SleeperOptions): AsyncDisposable {
  const closing = new AbortController()
  const watched = new Map<string, { since: number; idleness: Idleness; told: boolean }>()

  const lookAt = async (server: SleepyServer, tables: (folder: string | null) => ConnectionTables): Promise<void> => {
    const { spec } = server
    const { phase, since } = server.state()
    if (!spec.wake || phase !== 'running') return void watched.delete(server.id)
    const known = watched.get(server.id)
    const watch = known?.since === since ? known : { since, idleness: beganToRun(clock.now()), told: false }
    watched.set(server.id, watch)
    const sight = countsPlayers(spec.template.query)
      ? sightOfPlayers(players().get(server.id))
      : await sightOf(
          tables((await server.run?.networkFolder()) ?? null),
          spec.allocations.map(({ port }) => port),
        )
    const { next, asleep } = afterLook(watch.idleness, sight, clock.now(), spec.wake.idleMinutes * 60_000)
    watch.idleness = next
    if (sight.is === 'unknown' && sight.why !== null && !watch.told) {
      watch.told = true
      await server.cannotSleep(`It is not put to sleep, since nobody can tell whether it is in use: ${sight.why}`)
    }
    if (!asleep) return
    if (!(await isEmptyNow(server))) watch.idleness = { emptySince: null, lookedAt: clock.now() }
    else await server.fallAsleep(idleWords(spec.wake.idleMinutes, countsPlayers(spec.template.query)))
  }

  /** What is known of players is as old as the last question: somebody may have joined since. */
  const isEmptyNow = async ({ spec }: SleepyServer): Promise<boolean> => {
    const { query: question } = spec.template
    if (!question || !countsPlayers(question)) return true
    const port = portOf(spec, question)
    if (port === null) return false
    const now = await query(question.kind, port, { clock, signal: closing.signal }).catch(() => null)
    return now?.online === 0
  }

  const look = async (): Promise<void> => {
    const read = new Map<string | null, ConnectionTables>()
    const tables = (folder: string | null): ConnectionTables => {
      const made = read.get(folder) ?? connectionTables(folder)
      read.set(folder, made)
      return made
    }
    const here = new Set<string>()
    for (const server of servers()) {
      here.add(server.id)
      await lookAt(server, tables).catch((error: unknown) =>
        log.warn({ err: error, server: server.id }, 'it could not be seen whether a server is idle'),
      )
    }
    for (const id of watched.keys()) if (!here.has(id)) watched.delete(id)
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await look()
      await clock.sleep(idleLookEveryMs, closing.signal).catch(() => undefined)
    }
  }
  const looping = loop()
  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      await looping
    },
  }
}

/** Luanti answers without saying who plays. */
const countsPlayers = (query: GameQuery | undefined): boolean => query !== undefined && query.kind !== 'luanti'

/** A game that has not answered yet, or has stopped to, may be full. */
function sightOfPlayers(players: Players | undefined): Sight {
  if (players === undefined || players.online === null) return { is: 'unknown', why: null }
  return { is: players.online > 0 ? 'used' : 'empty' }
}

const idleWords = (minutes: number, byPlayers: boolean): string =>
  `${byPlayers ? 'No players' : 'Nobody connected'} for ${minutes === 1 ? 'a minute' : `${minutes} minutes`}`
