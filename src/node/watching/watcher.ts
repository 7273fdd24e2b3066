import type { Players } from '../../contract/node-watching.ts'
import type { GameQuery, Template, Watchdog } from '../../contract/template.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Server } from '../supervisor/server.ts'
import {
  failuresForgotten,
  firstQueryMs,
  heartbeatEveryMs,
  heartbeatWaitMs,
  lookEveryMs,
  queriesAtOnce,
  queryEveryMs,
  queryMostMs,
} from './limits.ts'
import { queryGame } from './query/index.ts'
import { afterLook, hangRestartsMax, unwatched, type WatchdogVerdict, type Watched } from './watchdog.ts'

/** What the watcher uses of a server. */
export type WatchedServer = Pick<Server, 'id' | 'spec' | 'state' | 'console' | 'command' | 'hung'>

export interface WatcherOptions {
  servers(): Iterable<WatchedServer>
  players(id: string, players: Players | null): void
  clock: Clock
  log: Log
  /** How a game is asked: on this machine unless given. */
  query?: typeof queryGame
}

export interface Watcher extends AsyncDisposable {
  /** What is known of who plays, by server. */
  readonly players: ReadonlyMap<string, Players>
}

/** One run of a server, as far as it has been watched. */
interface Watch {
  /** When it began to run: another run is watched anew. */
  since: number
  nextAt: number
  failures: number
  watched: Watched
}

/** Asks running games who plays and watches whether they are alive, for as long as it lives. */
export function startWatcher({ servers, players: tell, clock, log, query = queryGame }: WatcherOptions): Watcher {
  const closing = new AbortController()
  const watches = new Map<string, Watch>()
  const restarts = new Map<string, number[]>()
  const players = new Map<string, Players>()
  const running = new Map<string, Promise<void>>()

  const setPlayers = (id: string, next: Players | null): void => {
    if (next) players.set(id, next)
    else if (!players.delete(id)) return
    tell(id, next)
  }

  const ask = async (server: WatchedServer, watch: Watch): Promise<void> => {
    const { template, restartOnHang } = server.spec
    const { query: question, watchdog } = template
    const answered = question ? await askGame(server, question) : null
    const sign =
      watchdog?.sign.by === 'console'
        ? await askConsole(server, watchdog.sign, clock, closing.signal)
        : answered !== null
    // Whatever was asked, it was asked of a run that may have ended meanwhile.
    if (closing.signal.aborted || !isRunning(server, watch)) return
    watch.failures = (question ? answered !== null : sign) ? 0 : watch.failures + 1
    if (answered) setPlayers(server.id, answered)
    else if (watch.failures >= failuresForgotten) setPlayers(server.id, null)
    const now = clock.now()
    watch.nextAt = now + pauseMs(template, watch.failures)
    if (!watchdog) return
    const recent = restarts.get(server.id) ?? []
    const look = afterLook(watch.watched, sign, now, {
      afterMs: watchdog.afterSeconds * 1000,
      restart: restartOnHang,
      restarts: recent,
    })
    watch.watched = look.next
    await act(server, watchdog, look.verdict, now)
  }

  const act = async (
    server: WatchedServer,
    watchdog: Watchdog,
    verdict: WatchdogVerdict,
    now: number,
  ): Promise<void> => {
    if (verdict === 'nothing') return
    const restart = verdict === 'restart'
    const told = await server.hung(hungWords(server, watchdog, restart), restart)
    if (told && restart) restarts.set(server.id, [...(restarts.get(server.id) ?? []), now].slice(-hangRestartsMax))
  }

  const askGame = async (server: WatchedServer, question: GameQuery): Promise<Players | null> => {
    const port = portOf(server.spec, question)
    if (port === null) return null
    return query(question.kind, port, { clock, signal: closing.signal }).catch((error: unknown) => {
      log.debug({ err: error, server: server.id }, 'the game did not say who plays')
      return null
    })
  }

  const look = (): void => {
    const every = new Set<string>()
    const there = new Set<string>()
    for (const server of servers()) {
      every.add(server.id)
      const { template } = server.spec
      const { phase, since } = server.state()
      if (phase !== 'running' || !(template.query || template.watchdog)) continue
      there.add(server.id)
      const known = watches.get(server.id)
      const watch =
        known?.since === since ? known : { since, nextAt: since + firstQueryMs, failures: 0, watched: unwatched }
      watches.set(server.id, watch)
      if (running.has(server.id) || running.size >= queriesAtOnce || clock.now() < watch.nextAt) continue
      running.set(
        server.id,
        ask(server, watch)
          .catch((error: unknown) => log.error({ err: error, server: server.id }, 'a server could not be watched'))
          .finally(() => running.delete(server.id)),
      )
    }
    for (const id of watches.keys()) {
      if (there.has(id)) continue
      watches.delete(id)
      setPlayers(id, null)
    }
    for (const id of restarts.keys()) if (!every.has(id)) restarts.delete(id)
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      look()
      await clock.sleep(lookEveryMs, closing.signal).catch(() => undefined)
    }
  }
  const looping = loop()

  return {
    players,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await looping
      await Promise.all(running.values())
    },
  }
}

const isRunning = (server: WatchedServer, { since }: Watch): boolean => {
  const state = server.state()
  return state.phase === 'running' && state.since === since
}

/** One of the server's own ports, or null: nobody gets a node to talk to another port of its machine. */
export function portOf({ allocations, variables }: WatchedServer['spec'], { port }: GameQuery): number | null {
  const meant = port === 'primary' ? allocations[0]?.port : Number(variables[port.variable])
  return allocations.some((allocation) => allocation.port === meant) ? (meant ?? null) : null
}

/** A game that does not answer is left alone for longer and longer, but for a watchdog, which has to know. */
function pauseMs({ watchdog }: Template, failures: number): number {
  if (watchdog?.sign.by === 'console') return heartbeatEveryMs
  if (watchdog || failures === 0) return queryEveryMs
  return Math.min(queryMostMs, queryEveryMs * 2 ** Math.min(failures, 10))
}

/** Whether the console answers the command in time. */
async function askConsole(
  server: WatchedServer,
  sign: { command: string; answer: string },
  clock: Clock,
  closing: AbortSignal,
): Promise<boolean> {
  const over = new AbortController()
  const answered = Promise.withResolvers<boolean>()
  const stop = server.console.onLine.on(({ text }) => {
    if (text.includes(sign.answer)) answered.resolve(true)
  })
  try {
    await server.command(sign.command)
    const late = clock.sleep(heartbeatWaitMs, AbortSignal.any([closing, over.signal])).then(
      () => false,
      () => false,
    )
    return await Promise.race([answered.promise, late])
  } catch {
    // It does not even read what is written to it, or it has ended.
    return false
  } finally {
    stop()
    over.abort()
  }
}

function hungWords({ spec }: WatchedServer, { sign, afterSeconds }: Watchdog, restarts: boolean): string {
  const what = sign.by === 'query' ? 'It has not answered its query' : 'Its console has not answered'
  const then = restarts
    ? 'it is restarted'
    : spec.restartOnHang
      ? 'it was restarted for this too often already, so somebody should look at it'
      : 'restart it if it does not recover'
  return `${what} for ${afterSeconds} seconds: ${then}`
}
