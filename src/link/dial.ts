import { type Log, silentLog } from '../lib/log.ts'
import type { Channel, Dialler } from './channel.ts'
import type { SealedPathOptions } from './datagrams/carrier.ts'
import { DialledFurther } from './further.ts'
import { dialHandshake } from './handshake.ts'
import { type LinkLimits, linkLimits } from './limits.ts'
import { type Link, LinkError, type LinkEvents } from './link.ts'
import { Session } from './session.ts'

export interface DialOptions {
  /** Also dials the further connections of the link. */
  dialler: Dialler
  /** What this end says of itself: JSON. */
  hello: unknown
  events: LinkEvents
  /** Gives up dialling; a link that is up is closed with `close`. */
  signal?: AbortSignal
  /** Hears the link before its first stream or message arrives. */
  opened?(link: Link): void
  log?: Log
  limits?: Partial<LinkLimits>
  /** How this end takes an offered sealed path for datagrams; `never`: it does not, and they go in the link. */
  sealedPath?: SealedPathOptions | 'never'
}

/**
 * Connects, says hello and resolves with the link once the other end has welcomed it.
 * @throws LinkError what the other end refused with, `lost` when there is no connection; or the signal's reason.
 */
export async function dialLink({
  dialler,
  hello,
  events,
  signal,
  opened,
  log = silentLog,
  sealedPath = {},
  ...rest
}: DialOptions): Promise<Link> {
  const limits = { ...linkLimits, ...rest.limits }
  signal?.throwIfAborted()
  const channel = await connect(dialler, limits.connectMs, signal)
  return new Promise((resolve, reject) => {
    const giveUp = dialHandshake({
      channel,
      hello,
      limits,
      onWelcome(lane, welcome) {
        signal?.removeEventListener('abort', onAbort)
        const session = new Session({
          lane,
          side: 'dials',
          further: (connections) => new DialledFurther(connections, dialler, limits),
          greeting: welcome,
          events,
          limits,
          log,
          path: sealedPath === 'never' ? null : { role: 'takes', ...sealedPath },
        })
        opened?.(session)
        resolve(session)
      },
      onFailure(error) {
        signal?.removeEventListener('abort', onAbort)
        reject(error)
      },
    })
    const onAbort = (): void => {
      giveUp()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
  })
}

async function connect(dialler: Dialler, connectMs: number, signal: AbortSignal | undefined): Promise<Channel> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new LinkError('lost', `no connection within ${connectMs} ms`)), connectMs)
  try {
    return await dialler(signal ? AbortSignal.any([signal, late.signal]) : late.signal)
  } finally {
    clearTimeout(timer)
  }
}
