import { apiPrefix, publicSockets } from 'pharos:operations'
import type { z } from 'zod'
import { type LiveSocket, openSocket } from '../../src/client/index.ts'
import type { publicSockets as declared } from '../../src/contract/api/index.ts'
import type { Arguments, Socket } from '../../src/contract/operation.ts'

/** The waits between tries, ms: quick at first, since a panel that restarts is back within seconds. */
const firstWaitMs = 500
const longestWaitMs = 10_000

export type Liveness = 'connecting' | 'live' | 'lost'

export interface LiveOptions<S extends Socket> {
  onMessage(message: z.output<S['sends']>): void
  /** `lost` while it is being tried again. */
  onLiveness?(liveness: Liveness, error: unknown): void
  /** A refusal that no further try will mend. */
  onRefused?(error: unknown): void
}

export interface LiveConnection<S extends Socket> extends Disposable {
  /** False while there is no connection: nothing was sent. */
  send(message: z.input<S['accepts']>): boolean
}

/** Keeps a live connection until disposed of: it comes back by itself after the panel restarts or the network returns. */
export function keepLive<Name extends keyof typeof declared>(
  name: Name,
  args: Arguments<(typeof declared)[Name]>,
  options: LiveOptions<(typeof declared)[Name]>,
): LiveConnection<(typeof declared)[Name]> {
  type S = (typeof declared)[Name]
  // The panel that sent this page sends its messages, too: they are not checked again, and the schemas stay there.
  const declaration = { ...publicSockets[name], sends: unchecked } as unknown as S
  const stop = new AbortController()
  let current: LiveSocket<S> | null = null

  const run = async (): Promise<void> => {
    let wait = firstWaitMs
    options.onLiveness?.('connecting', null)
    while (!stop.signal.aborted) {
      let reason: unknown = null
      try {
        const socket = await openSocket(declaration, args, {
          baseUrl: location.origin + apiPrefix,
          signal: stop.signal,
        })
        current = socket
        wait = firstWaitMs
        options.onLiveness?.('live', null)
        for await (const message of socket) options.onMessage(message)
      } catch (error) {
        if (stop.signal.aborted) return
        reason = error
        if (isFinal(error)) {
          options.onRefused?.(error)
          return
        }
      } finally {
        current = null
      }
      if (stop.signal.aborted) return
      options.onLiveness?.('lost', reason)
      await pause(wait * (0.75 + Math.random() / 2), stop.signal)
      wait = Math.min(wait * 2, longestWaitMs)
    }
  }
  void run()

  return {
    send(message) {
      if (!current) return false
      current.send(message)
      return true
    },
    [Symbol.dispose]() {
      stop.abort(new Error('no longer wanted'))
    },
  }
}

const unchecked = { safeParse: (data: unknown) => ({ success: data !== undefined, data }) }

const isFinal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['unauthorized', 'forbidden', 'not_found'].includes(String(error.code))

/** Ends early when the network is back, or somebody looks at the page again. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    window.addEventListener('online', done)
    signal.addEventListener('abort', done)
  })
