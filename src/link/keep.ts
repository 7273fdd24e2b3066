import { type BackoffLimits, backoffMs, reconnectBackoff } from '../lib/backoff.ts'
import { systemClock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Dialler } from './channel.ts'
import { type DialOptions, dialLink } from './dial.ts'
import type { LinkLimits } from './limits.ts'
import { type Link, type LinkEnd, LinkError, type LinkEvents } from './link.ts'

export interface KeepOptions {
  dialler: Dialler
  /** Asked before each try: what this end says of itself then. */
  hello: () => unknown
  events: LinkEvents
  /** Hears each new link before its first stream or message arrives. */
  onUp?(link: Link): void
  /** Hears each end, and each try that failed, with the wait until the next try. */
  onDown?(end: LinkEnd, retryMs: number): void
  log: Log
  backoff?: BackoffLimits
  limits?: Partial<LinkLimits>
  /** Of `dialLink`. */
  sealedPath?: DialOptions['sealedPath']
}

export interface KeptLink extends AsyncDisposable {
  readonly current: Link | null
  /** Resolves with the link once there is one. Rejects with the signal's reason, or `closed` once this has been disposed of. */
  up(signal?: AbortSignal): Promise<Link>
}

/**
 * Dials for ever, until disposed of. A link that is refused as unauthorised or superseded is tried again after the longest wait, one that is refused
 * for now (`later`) every few seconds, and a peer that was lost after it had been there for a while every second at first.
 */
export function keepLink({
  dialler,
  hello,
  events,
  onUp,
  onDown,
  log,
  backoff = reconnectBackoff,
  limits,
  sealedPath,
}: KeepOptions): KeptLink {
  const stop = new AbortController()
  const waiting = new Set<(link: Link) => void>()
  let current: Link | null = null
  let openedAt = 0
  /** When the last link that was up for a while ended. */
  let lostAt = Number.NEGATIVE_INFINITY

  const opened = (link: Link): void => {
    current = link
    openedAt = systemClock.now()
    log.info({ link: link.id, remoteAddress: link.remoteAddress }, 'the link is up')
    onUp?.(link)
    for (const resolve of [...waiting]) resolve(link)
  }

  /** Dials once; resolves when that link, or the try, is over. */
  const live = async (): Promise<LinkEnd> => {
    try {
      const link = await dialLink({
        dialler,
        hello: hello(),
        events,
        signal: stop.signal,
        opened,
        log,
        ...(limits ? { limits } : {}),
        ...(sealedPath ? { sealedPath } : {}),
      })
      const end = await link.closed
      if (systemClock.now() - openedAt >= steadyMs) lostAt = systemClock.now()
      return end
    } catch (error) {
      if (error instanceof LinkError) return { code: error.code, reason: error.message }
      if (!stop.signal.aborted) log.error({ err: error }, 'dialling failed')
      return { code: 'lost', reason: 'dialling failed' }
    } finally {
      current = null
    }
  }

  const run = async (): Promise<void> => {
    let attempt = 0
    while (!stop.signal.aborted) {
      const begun = systemClock.now()
      const end = await live()
      if (stop.signal.aborted) return
      if (systemClock.now() - begun >= steadyMs) attempt = 0
      const fresh = systemClock.now() - lostAt < freshMs
      const retryMs = backoffMs(attemptAs(end.code, attempt), waitsAfter(end.code, fresh, backoff))
      attempt += 1
      log.warn({ code: end.code, reason: end.reason, retryMs }, 'the link is down')
      onDown?.(end, retryMs)
      await systemClock.sleep(retryMs, stop.signal).catch(() => undefined)
    }
  }
  const running = run()

  return {
    get current() {
      return current
    },
    up(signal) {
      if (current) return Promise.resolve(current)
      return new Promise((resolve, reject) => {
        const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
        const settle = (): void => {
          waiting.delete(onLink)
          either.removeEventListener('abort', onAbort)
        }
        const onLink = (link: Link): void => {
          settle()
          resolve(link)
        }
        const onAbort = (): void => {
          settle()
          reject(either.reason)
        }
        if (either.aborted) {
          reject(either.reason)
          return
        }
        waiting.add(onLink)
        either.addEventListener('abort', onAbort, { once: true })
      })
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new LinkError('closed', 'the link is no longer kept'))
      current?.close('this end is shutting down')
      await running
    },
  }
}

/** A link, or a try, that lasted this long starts the backoff anew: shorter ones are taken for a peer that fails at once. */
const steadyMs = 5_000
/** Doubling this often exceeds any limit. */
const mostAttempts = 30
/** What is refused for now is asked for again this often, ms: whoever is let back is back within 5 s. */
const laterMs = 4_000

const attemptAs = (code: LinkEnd['code'], attempt: number): number =>
  code === 'unauthorized' || code === 'superseded' ? mostAttempts : attempt

function waitsAfter(code: LinkEnd['code'], fresh: boolean, { firstMs, mostMs }: BackoffLimits): BackoffLimits {
  if (code === 'later') return { firstMs: Math.min(laterMs, mostMs), mostMs: Math.min(laterMs, mostMs) }
  if (code === 'lost' && fresh) return { firstMs, mostMs: Math.min(freshMostMs, mostMs) }
  return { firstMs, mostMs }
}

/** A peer that was here so short a time ago is probably just starting again, ms. */
const freshMs = 60_000
/** Meanwhile no wait is longer, ms: whatever a restart takes, a second later the link is up. A try that finds nobody costs next to nothing. */
const freshMostMs = 1_000
