import type { Migration } from '../migrate.ts'
import * as foundation from './0001-foundation.ts'
import * as backups from './0003-backups.ts'
import * as databases from './0004-databases.ts'
import * as schedules from './0005-schedules.ts'
import * as activity from './0006-activity.ts'
import * as stats from './0007-stats.ts'
import * as limits from './0008-limits.ts'
import * as scheduleLimits from './0009-schedule-limits.ts'
import * as tunnelKinds from './0010-tunnel-kinds.ts'
import * as plans from './0011-plans.ts'
import * as secondFactors from './0012-second-factors.ts'
import * as templates from './0014-templates.ts'
import * as transfers from './0015-transfers.ts'
import * as sshKeys from './0016-ssh-keys.ts'
import * as watching from './0017-watching.ts'
import * as containers from './0018-containers.ts'
import * as incrementalBackups from './0019-incremental-backups.ts'
import * as panels from './0020-panels.ts'
import * as serversByAge from './0021-servers-by-age.ts'
import * as tunnelSettings from './0022-tunnel-settings.ts'
import * as foreignEdges from './0023-foreign-edges.ts'
import * as wakeOnConnect from './0024-wake-on-connect.ts'
import * as abuse from './0027-abuse.ts'
import * as domains from './0028-domains.ts'
import * as identityProviders from './0032-identity-providers.ts'
import * as certificateReasons from './0033-certificate-reasons.ts'

/** Every migration, oldest first. A list rather than a folder listing: it is still there in a bundle. */
export const migrations: readonly Migration[] = [
  { name: '0001-foundation', up: foundation.up },
  { name: '0003-backups', up: backups.up },
  { name: '0004-databases', up: databases.up },
  { name: '0005-schedules', up: schedules.up },
  { name: '0006-activity', up: activity.up },
  { name: '0007-stats', up: stats.up },
  { name: '0008-limits', up: limits.up },
  { name: '0009-schedule-limits', up: scheduleLimits.up },
  { name: '0010-tunnel-kinds', up: tunnelKinds.up },
  { name: '0011-plans', up: plans.up },
  { name: '0012-second-factors', up: secondFactors.up },
  { name: '0014-templates', up: templates.up },
  { name: '0015-transfers', up: transfers.up },
  { name: '0016-ssh-keys', up: sshKeys.up },
  { name: '0017-watching', up: watching.up },
  { name: '0018-containers', up: containers.up },
  { name: '0019-incremental-backups', up: incrementalBackups.up },
  { name: '0020-panels', up: panels.up },
  { name: '0021-servers-by-age', up: serversByAge.up },
  { name: '0022-tunnel-settings', up: tunnelSettings.up },
  { name: '0023-foreign-edges', up: foreignEdges.up },
  { name: '0024-wake-on-connect', up: wakeOnConnect.up },
  { name: '0027-abuse', up: abuse.up },
  { name: '0028-domains', up: domains.up },
  { name: '0032-identity-providers', up: identityProviders.up },
  { name: '0033-certificate-reasons', up: certificateReasons.up },
]
