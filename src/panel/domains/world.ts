import type { ChallengeAnswer } from '../../contract/edge.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Activity } from '../activity/index.ts'
import type { Changes, Database } from '../db/index.ts'
import type { Post } from '../mail/index.ts'
import type { EdgeReach, Tunnels } from '../tunnels/index.ts'

/** Who makes certificates. */
export interface AcmeSettings {
  /** The URL of its directory. */
  directory: string
  /** Where it may write to. */
  email: string | null
  /** A root that is trusted besides the usual ones, PEM. */
  root: string | null
  /** How names without `*.` are validated: both in turn, or one alone. */
  challenge: 'auto' | 'http-01' | 'tls-alpn-01'
  /** Where records for wildcards are set. */
  dns: DnsZone | null
}

/** A zone of the operator that takes dynamic updates (RFC 2136), signed (RFC 8945). */
export interface DnsZone {
  zone: string
  server: { host: string; port: number }
  keyName: string
  /** base64 */
  key: Secret
  /** How long its other name servers need to follow, ms. */
  waitMs: number
}

/** What domains need of the panel. */
export interface DomainsWorld {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  sealer: Sealer
  activity: Pick<Activity, 'record'>
  post: Pick<Post, 'send'>
  tunnels: Pick<Tunnels, 'list'>
  /** Of every edge that is known, those where the tunnel is open first. */
  reaches(tunnelId?: string): EdgeReach[]
  /** Whether some edge serves the tunnel at this moment. */
  isOpen(tunnelId: string): boolean
  /** The host name of the panel itself; null where it has none. */
  ownHost: string | null
  /** What edges answer to authorities. */
  answers: {
    offer(answer: ChallengeAnswer): Promise<void>
    withdraw(token: string): Promise<void>
  }
  /** `address` or `address:port` of the resolvers; empty: those of the system. */
  dnsServers: readonly string[]
  /** Null: no certificates are made. */
  acme: AcmeSettings | null
}
