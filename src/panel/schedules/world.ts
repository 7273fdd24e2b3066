import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Access } from '../access/index.ts'
import type { Activity } from '../activity/index.ts'
import type { Backups } from '../backups/index.ts'
import type { Consoles } from '../console/index.ts'
import type { Database } from '../db/index.ts'
import type { Servers } from '../servers/index.ts'

/** What schedules need of the panel. Each part asks for what it uses. */
export interface SchedulesWorld {
  db: Database
  clock: Clock
  log: Log
  access: Pick<Access, 'serverAccess'>
  servers: Pick<Servers, 'power' | 'status' | 'news'>
  consoles: Pick<Consoles, 'send'>
  backups: Pick<Backups, 'create' | 'one'>
  activity: Pick<Activity, 'record'>
}
