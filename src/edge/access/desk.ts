import type { Log } from '../../lib/log.ts'
import { Providers } from '../../openid/index.ts'
import type { Room } from '../ingress/body-peek.ts'
import { Passwords } from './passwords.ts'
import { Rates } from './rates.ts'
import { EndedSessions } from './sign-in.ts'

export interface AccessDeskOptions {
  now(): number
  log: Log
  /** Which addresses may be asked for a sign-in. */
  isReachable(address: string): boolean
  /** Where somebody can tell of abuse of a host; null where nobody could. */
  reportUrl(host: string): string | null
}

/** What the rules of all tunnels share: everything that is counted or remembered is bounded, whatever visitors send. */
export class AccessDesk {
  readonly passwords = new Passwords()
  readonly requests = new Rates(countedMax)
  readonly attempts = new Rates(countedMax)
  /** For bodies whose signatures are checked. */
  readonly room: Room = boundedRoom(roomBytes)
  readonly endedSessions = new EndedSessions()
  readonly providers: Providers
  readonly reportUrl: (host: string) => string | null
  readonly #options: AccessDeskOptions

  constructor(options: AccessDeskOptions) {
    this.#options = options
    this.reportUrl = options.reportUrl
    this.providers = new Providers(options)
  }

  /** ms since 1970. */
  now(): number {
    return this.#options.now()
  }

  /** A sign-in did not work, which the owner of the tunnel asks the operator about. */
  troubled(tunnelId: string, error: unknown): void {
    this.#options.log.info({ err: error, tunnelId }, 'a sign-in has failed')
  }
}

/** Thirty of the largest at a time; they are usually small, and here for milliseconds. */
const roomBytes = 64 * 1024 * 1024

function boundedRoom(bytes: number): Room {
  let left = bytes
  return {
    take(wanted) {
      if (wanted > left) return false
      left -= wanted
      return true
    },
    give(returned) {
      left += returned
    },
  }
}

/** Visitors that are counted at a time: about 150 bytes each. */
const countedMax = 100_000
