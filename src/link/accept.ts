import { createHash } from 'node:crypto'
import type { Log } from '../lib/log.ts'
import type { Channel } from './channel.ts'
import type { DatagramEndpoint } from './datagrams/endpoint.ts'
import { Invitations, type Joins } from './further.ts'
import { type AcceptingHandshake, acceptHandshake } from './handshake.ts'
import type { Lane } from './lane.ts'
import { type LinkLimits, linkLimits } from './limits.ts'
import { type Link, LinkError, type LinkEvents } from './link.ts'
import { Session } from './session.ts'

/** What a hello is answered with when it is accepted. */
export interface Greeted {
  /** What this end says of itself: JSON. */
  welcome: unknown
  events: LinkEvents
  /** Hears the link before its first stream or message arrives. Not called when the dialler has gone meanwhile. */
  opened?(link: Link): void
}

export interface AcceptOptions {
  /** Judges a hello; may take its time. Throws a `LinkError` to refuse: its code and message reach the dialler. */
  greet(hello: unknown, from: { remoteAddress: string }): Promise<Greeted>
  log: Log
  limits?: Partial<LinkLimits>
  /** Asked for each new link: where sealed paths for its datagrams lead. Without it, datagrams go in the links. */
  datagrams?(): DatagramEndpoint | null
}

export interface LinkAcceptor extends AsyncDisposable {
  /** Takes over a fresh connection, whatever becomes of it. */
  accept(channel: Channel): void
  readonly links: ReadonlySet<Link>
}

/** The accepting side of links, whatever transport brings the connections. Disposing closes every link and every handshake. */
export function acceptLinks({ greet, log, datagrams, ...rest }: AcceptOptions): LinkAcceptor {
  const limits = { ...linkLimits, ...rest.limits }
  const links = new Set<Link>()
  /** Oldest first. */
  const handshakes = new Set<AcceptingHandshake>()
  const invited = new Map<string, (lane: Lane) => void>()
  const joins: Joins = {
    add: (secret, join) => void invited.set(digestOf(secret), join),
    remove: (secret) => void invited.delete(digestOf(secret)),
  }
  let closing = false

  return {
    links,
    accept(channel) {
      const { duplex, remoteAddress } = channel
      // Who says nothing makes room: an honest hello comes with the end of the TLS handshake.
      const full = handshakes.size >= limits.handshakesMax
      if (closing || (full && ![...handshakes].some((silent) => silent.makeRoom()))) {
        log.warn(
          { remoteAddress, handshakes: handshakes.size },
          'a connection is dropped: too many are in their handshake, or this end is shutting down',
        )
        duplex.on('error', () => undefined)
        duplex.destroy()
        return
      }
      const handshake = acceptHandshake({
        channel,
        limits,
        async greet(hello) {
          const { welcome, events, opened } = await greet(hello, { remoteAddress })
          return {
            welcome,
            start(lane) {
              const endpoint = datagrams?.()
              const session = new Session({
                lane,
                side: 'accepts',
                further: (connections) => new Invitations(connections, joins, limits),
                greeting: hello,
                events,
                limits,
                log,
                path: endpoint ? { role: 'offers', endpoint } : null,
              })
              links.add(session)
              void session.closed.then(() => links.delete(session))
              opened?.(session)
            },
          }
        },
        join(secret, lane) {
          const key = digestOf(secret)
          const join = invited.get(key)
          invited.delete(key)
          join?.(lane)
          return join !== undefined
        },
        explain(error) {
          if (error instanceof LinkError) return error
          log.error({ err: error, remoteAddress }, 'a hello could not be judged')
          return new LinkError('refused', 'the hello could not be judged: try again later')
        },
        onSettled: () => handshakes.delete(handshake),
      })
      handshakes.add(handshake)
    },
    async [Symbol.asyncDispose]() {
      closing = true
      for (const handshake of [...handshakes]) handshake.giveUp()
      for (const link of [...links]) link.close('this end is shutting down')
    },
  }
}

/** Looked up by this, the time of a look-up tells nothing about the secret. */
const digestOf = (secret: Buffer): string => createHash('sha256').update(secret).digest('base64')
