import { sql } from 'kysely'
import pg from 'pg'
import { z } from 'zod'
import { backoffMs, reconnectBackoff } from '../../lib/backoff.ts'
import { newUuid } from '../../lib/ids.ts'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import { Signal } from '../../lib/signals.ts'
import type { Database, DatabaseConfig } from './database.ts'

const Change = z.discriminatedUnion('of', [
  z.strictObject({
    of: z.enum(['token', 'session', 'user', 'workspace', 'server', 'edge', 'node', 'tunnel', 'log-level']),
    id: z.string(),
  }),
  z.strictObject({ of: z.literal('member'), workspaceId: z.string(), userId: z.string() }),
  z.strictObject({ of: z.literal('subuser'), serverId: z.string(), userId: z.string() }),
])
/** That something in the database is no longer as it was; whoever cares reads it again. */
export type Change = z.output<typeof Change>

/** News between slices, and between the panels that share a database. */
export interface Changes extends AsyncDisposable {
  /** Call it after the commit, never inside the transaction. Listeners of this panel have run when it resolves. */
  publish(change: Change): Promise<void>
  on(listener: (change: Change) => void): () => void
  /** False while news of other panels may be missing: nothing remembered may be trusted then. */
  readonly complete: boolean
  /** News may have been missed: everything remembered must be forgotten. */
  readonly gap: Signal<void>
}

/** In-process news; on PostgreSQL those of other panels as well, by LISTEN/NOTIFY. */
export async function openChanges(database: Database, config: DatabaseConfig, log: Log): Promise<Changes> {
  const local = new Signal<Change>()
  const gap = new Signal<void>()
  if (config.kind === 'sqlite')
    return {
      publish: async (change) => local.emit(change),
      on: (listener) => local.on(listener),
      complete: true,
      gap,
      [Symbol.asyncDispose]: async () => undefined,
    }

  const self = newUuid()
  const listening = keepListening(config.url, log, {
    heard(payload) {
      const { from, change } = Envelope.parse(JSON.parse(payload))
      if (from !== self) local.emit(change)
    },
    missed: () => gap.emit(),
  })
  try {
    await listening.first
  } catch (error) {
    await listening.stop()
    throw error
  }
  return {
    async publish(change) {
      local.emit(change)
      await sql`select pg_notify(${channel}, ${JSON.stringify({ from: self, change })})`.execute(database.kysely)
    },
    on: (listener) => local.on(listener),
    get complete() {
      return listening.up
    },
    gap,
    [Symbol.asyncDispose]: () => listening.stop(),
  }
}

const channel = 'pharos_changes'
const Envelope = z.strictObject({ from: z.string(), change: Change })

interface Listening {
  readonly first: Promise<void>
  readonly up: boolean
  stop(): Promise<void>
}

/** One connection that only listens, opened again for ever when it breaks. */
function keepListening(url: Secret, log: Log, on: { heard(payload: string): void; missed(): void }): Listening {
  const stopping = new AbortController()
  let up = false
  const ready = Promise.withResolvers<void>()

  const listenOnce = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: url.reveal(),
      application_name: 'pharos-panel-changes',
      keepAlive: true,
    })
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => resolve())
      client.on('end', () => resolve())
    })
    client.on('notification', ({ payload }) => {
      try {
        on.heard(payload ?? '')
      } catch (error) {
        log.warn({ error }, 'a change announced by another panel could not be read')
        on.missed()
      }
    })
    const close = (): void => void client.end().catch(() => undefined)
    stopping.signal.addEventListener('abort', close, { once: true })
    try {
      await client.connect()
      await client.query(`listen ${channel}`)
      up = true
      on.missed()
      ready.resolve()
      if (!stopping.signal.aborted) await ended
    } finally {
      up = false
      stopping.signal.removeEventListener('abort', close)
      await client.end().catch(() => undefined)
    }
  }

  const loop = async (): Promise<void> => {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        await listenOnce()
        attempt = 0
      } catch (error) {
        log.warn({ error: error instanceof Error ? error.message : error }, 'listening for changes failed')
        if (attempt === 0) ready.reject(error)
      }
      if (!stopping.signal.aborted) await pause(backoffMs(attempt, reconnectBackoff), stopping.signal)
    }
  }
  const done = loop()
  return {
    first: ready.promise,
    get up() {
      return up
    },
    async stop() {
      stopping.abort()
      await done
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
