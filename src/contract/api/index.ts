import { abuseOperations } from './abuse.ts'
import { accountSecurityOperations } from './account-security.ts'
import { accountOperations } from './accounts.ts'
import { activityOperations } from './activity.ts'
import { backupOperations, backupTransfers } from './backups.ts'
import { databaseHostOperations, databaseOperations } from './databases.ts'
import { deviceOperations } from './devices.ts'
import { documentOperations } from './document.ts'
import { domainOperations } from './domains.ts'
import { fileOperations, fileTransfers } from './files.ts'
import { foreignEdgeOperations } from './foreign-edges.ts'
import { identityProviderOperations } from './identity-providers.ts'
import { inspectionOperations } from './inspection.ts'
import { instanceOperations } from './instance.ts'
import { logLevelOperations } from './log-levels.ts'
import { networkOperations } from './network.ts'
import { nodeAdminOperations } from './nodes.ts'
import { planOperations } from './plans.ts'
import { scheduleOperations } from './schedules.ts'
import { serverOperations, serverSockets } from './servers.ts'
import { resourceOperations, settingsOperations } from './settings.ts'
import { sftpOperations } from './sftp.ts'
import { sshKeyOperations } from './ssh-keys.ts'
import { startupOperations } from './startup.ts'
import { statsOperations } from './stats.ts'
import { subuserOperations } from './subusers.ts'
import { templateOperations, templateSourceOperations } from './templates.ts'
import { tokenOperations } from './tokens.ts'
import { drainOperations, transferOperations } from './transfers.ts'
import { tunnelAccessOperations } from './tunnel-access.ts'
import { tunnelOperations } from './tunnels.ts'
import { usageOperations } from './usage.ts'
import { userOperations } from './users.ts'
import { watchingOperations } from './watching.ts'
import { webhookOperations } from './webhooks.ts'
import { workspaceOperations } from './workspaces.ts'

/** Every public operation, under its name: what the panel serves, the client calls, and `openapi.json` describes. */
export const publicOperations = {
  ...workspaceOperations,
  ...tokenOperations,
  ...usageOperations,
  ...accountOperations,
  ...accountSecurityOperations,
  ...userOperations,
  ...identityProviderOperations,
  ...deviceOperations,
  ...sshKeyOperations,
  ...serverOperations,
  ...logLevelOperations,
  ...networkOperations,
  ...startupOperations,
  ...settingsOperations,
  ...resourceOperations,
  ...databaseOperations,
  ...subuserOperations,
  ...fileOperations,
  ...sftpOperations,
  ...statsOperations,
  ...watchingOperations,
  ...scheduleOperations,
  ...backupOperations,
  ...activityOperations,
  ...webhookOperations,
  ...templateOperations,
  ...templateSourceOperations,
  ...tunnelOperations,
  ...tunnelAccessOperations,
  ...abuseOperations,
  ...inspectionOperations,
  ...domainOperations,
  ...foreignEdgeOperations,
  ...nodeAdminOperations,
  ...drainOperations,
  ...transferOperations,
  ...databaseHostOperations,
  ...instanceOperations,
  ...planOperations,
  ...documentOperations,
}

export const publicSockets = { ...serverSockets }

/** Every public transfer of raw bytes. */
export const publicTransfers = { ...fileTransfers, ...backupTransfers }

/** All public routes are under it. */
export const apiPrefix = '/api/v1'
