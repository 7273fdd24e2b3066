import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Activity } from '../activity/index.ts'
import type { Database } from '../db/index.ts'
import type { Post } from '../mail/index.ts'
import type { SendOptions } from './send.ts'

/** What webhooks need of the panel. */
export interface WebhooksWorld {
  db: Database
  clock: Clock
  log: Log
  sealer: Sealer
  activity: Pick<Activity, 'record'>
  post: Pick<Post, 'send'>
  /** Whether a mail server is set. */
  mails: boolean
  /** How URLs are called. */
  outbound: Omit<SendOptions, 'signal'>
}
