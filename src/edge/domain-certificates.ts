import { createSecureContext } from 'node:tls'
import type { GrantedCertificate } from '../contract/tunnel-settings.ts'
import type { Log } from '../lib/log.ts'
import type { Certificate } from './certificates.ts'
import { wildcardOf } from './routing.ts'
import type { Tunnel } from './tunnel.ts'

/**
 * Certificates of tunnels' own domains, as the panel gives them with the tunnel. Each is made ready for TLS when its first visitor comes, and forgotten
 * with the tunnel; names that nobody serves cost nothing.
 */
export class DomainCertificates {
  readonly #log: Log
  readonly #ready = new WeakMap<GrantedCertificate, Certificate | null>()

  constructor(log: Log) {
    this.#log = log
  }

  /** The one for a host that this tunnel serves. */
  of(tunnel: Tunnel | undefined, host: string): Certificate | undefined {
    const granted = tunnel?.settings.certificates
    if (!granted) return undefined
    const found = granted.find((one) => one.host === host) ?? granted.find((one) => one.host === wildcardOf(host))
    if (!found) return undefined
    const known = this.#ready.get(found)
    if (known !== undefined) return known ?? undefined
    const made = this.#make(found)
    this.#ready.set(found, made)
    return made ?? undefined
  }

  /** Null where it cannot be used: then it is as if there were none. */
  #make({ host, certificate, key }: GrantedCertificate): Certificate | null {
    try {
      const context = createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' })
      return { context, covers: (asked) => asked === host || wildcardOf(asked) === host }
    } catch (error) {
      this.#log.error({ err: error, host }, 'the certificate of a domain cannot be used')
      return null
    }
  }
}
