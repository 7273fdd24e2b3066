import type { Socket } from 'node:net'
import { plainAddress } from '../../lib/address.ts'
import { endWith } from '../../lib/last-words.ts'
import { problemOf, type VisitorProblem } from '../errors.ts'
import type { EdgeLimits } from '../limits.ts'
import type { Release } from '../release.ts'
import { normalHost, type Routing } from '../routing.ts'
import type { Tunnel } from '../tunnel.ts'
import type { Visitors } from '../visitors.ts'
import { alertRecord, type ClientHello, type TlsAlert } from './client-hello.ts'
import { pass } from './passage.ts'

export interface TlsIngressOptions {
  routing: Routing<Tunnel>
  visitors: Visitors
  release: Release
  limits: EdgeLimits
}

/**
 * Visitors' TLS, passed through: the name in the ClientHello finds the tunnel, and the service at its end does the rest. The edge
 * never sees what is inside. What it has to say itself are TLS alerts.
 */
export class TlsIngress implements AsyncDisposable {
  readonly #options: TlsIngressOptions
  readonly #sockets = new Set<Socket>()

  constructor(options: TlsIngressOptions) {
    this.#options = options
  }

  /** Takes over a connection whose ClientHello was read and put back. */
  serve(socket: Socket, { serverName }: ClientHello): void {
    const { routing, visitors, release, limits } = this.#options
    const address = plainAddress(socket.remoteAddress)
    const host = serverName === null ? null : normalHost(serverName)
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    this.#sockets.add(socket)
    const entered = visitors.enter(address)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (entered) visitors.leave(address)
    })
    const tunnel = host === null ? undefined : routing.host('tls', host)
    if (!entered) this.#refuse(socket, { code: 'over_limit', host: 'This edge' })
    else if (host === null || !tunnel) {
      const known = host !== null && routing.wasServed('tls', host)
      this.#refuse(socket, { code: known ? 'agent_offline' : 'tunnel_not_found', host: host ?? '' })
    } else
      pass({
        socket,
        tunnel,
        protocol: 'tls',
        offset: 0,
        release,
        limits,
        onFailure: (error) => this.#refuse(socket, problemOf(error, host)),
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
  }

  #refuse(socket: Socket, problem: VisitorProblem): void {
    const alert = alertOf(problem)
    if (alert === null) socket.resetAndDestroy()
    else endWith(socket, alertRecord(alert), this.#options.limits.lingerMs)
  }
}

/** How a problem is told in TLS. Null: as a reset, just as the service's own port would tell that nothing listens. */
function alertOf({ code }: VisitorProblem): TlsAlert | null {
  switch (code) {
    case 'tunnel_not_found':
      return 'unrecognized_name'
    case 'over_quota':
    case 'access_denied':
    case 'maintenance':
      return 'access_denied'
    case 'over_limit':
    case 'too_many_requests':
      return 'user_canceled'
    case 'service_unreachable':
    case 'service_broke_off':
      return null
    default:
      return 'internal_error'
  }
}

/** Dead visitors behind silent connections are found by the system after this and its usual probes. */
const keepAliveMs = 60_000
