import type { Command } from '../command.ts'
import { abuseCommands } from './abuse/abuse.ts'
import { accessCommands } from './access/access.ts'
import { logIn } from './account/login.ts'
import { logOut } from './account/logout.ts'
import { setUp } from './account/setup.ts'
import { sshKeyCommands } from './account/ssh-keys.ts'
import { showStatus } from './account/status.ts'
import { useAccount } from './account/use.ts'
import { showActivity } from './activity.ts'
import { backupCommands } from './backups/backups.ts'
import { restoreBackup } from './backups/restore.ts'
import { backupSettings } from './backups/settings.ts'
import { checkWay } from './check.ts'
import { completion } from './completion.ts'
import { databaseCommands } from './databases/databases.ts'
import { databaseHostCommands } from './databases/hosts.ts'
import { domainCommands } from './domains/domains.ts'
import { edgeCommands } from './edges/edges.ts'
import { foreignEdgeCommands } from './edges/foreign.ts'
import { archiveCommands } from './files/archives.ts'
import { fileCommands } from './files/files.ts'
import { getFile } from './files/get.ts'
import { fileLookCommands } from './files/look.ts'
import { pullFile } from './files/pull.ts'
import { putFile } from './files/put.ts'
import { identityProviderCommands } from './identity-providers/identity-providers.ts'
import { backUpInstance } from './instance/backup.ts'
import { doctor } from './instance/doctor.ts'
import { restoreInstance } from './instance/restore.ts'
import { logLevelCommands } from './log-levels/log-levels.ts'
import { serveMcp } from './mcp/mcp.ts'
import { memberCommands } from './members.ts'
import { drainNode } from './nodes/drain.ts'
import { nodeCommands } from './nodes/nodes.ts'
import { planCommands } from './plans/plans.ts'
import { scheduleCommands } from './schedules/schedules.ts'
import { serverConsole } from './servers/console.ts'
import { createServer } from './servers/create.ts'
import { deleteServer } from './servers/delete.ts'
import { serverLimits } from './servers/limits.ts'
import { listServers } from './servers/list.ts'
import { portCommands } from './servers/ports.ts'
import { powerCommands } from './servers/power.ts'
import { reinstallServer } from './servers/reinstall.ts'
import { serverRuntime } from './servers/runtime.ts'
import { serverSftp } from './servers/sftp.ts'
import { showServer } from './servers/show.ts'
import { suspensionCommands } from './servers/suspension.ts'
import { takeTemplate } from './servers/template.ts'
import { transferServer } from './servers/transfer.ts'
import { serverUserCommands } from './servers/users.ts'
import { serverVariables } from './servers/variables.ts'
import { wakeOnConnect } from './servers/wake-on-connect.ts'
import { watchingCommands } from './servers/watching.ts'
import { templateSourceCommands } from './templates/sources.ts'
import { templateCommands } from './templates/templates.ts'
import { tokenCommands } from './tokens/tokens.ts'
import { agentCommands } from './tunnels/agent.ts'
import { captureRequests } from './tunnels/capture.ts'
import { closeTunnel } from './tunnels/close.ts'
import { showConnections } from './tunnels/connections.ts'
import { inspectTunnel } from './tunnels/inspect.ts'
import { linkProject } from './tunnels/link.ts'
import { listTunnels } from './tunnels/list.ts'
import { showLogs } from './tunnels/logs.ts'
import { openTunnel } from './tunnels/open.ts'
import { replayRequest } from './tunnels/replay.ts'
import { runProgram } from './tunnels/run.ts'
import { showUsage } from './usage.ts'
import { userCommands } from './users/users.ts'
import { webhookCommands } from './webhooks/webhooks.ts'

/** Every command that is a client of the API, in the order of `pharos --help`. */
export const commands: readonly Command[] = [
  setUp,
  logIn,
  logOut,
  useAccount,
  showStatus,
  openTunnel,
  runProgram,
  listTunnels,
  closeTunnel,
  ...accessCommands,
  showLogs,
  inspectTunnel,
  replayRequest,
  captureRequests,
  showConnections,
  linkProject,
  checkWay,
  ...domainCommands,
  ...agentCommands,
  serveMcp,
  listServers,
  createServer,
  showServer,
  ...powerCommands,
  serverConsole,
  ...watchingCommands,
  wakeOnConnect,
  ...portCommands,
  serverRuntime,
  serverSftp,
  serverVariables,
  takeTemplate,
  serverLimits,
  transferServer,
  ...suspensionCommands,
  ...serverUserCommands,
  reinstallServer,
  deleteServer,
  ...fileCommands,
  getFile,
  putFile,
  pullFile,
  ...archiveCommands,
  ...fileLookCommands,
  ...backupCommands,
  restoreBackup,
  backupSettings,
  ...databaseCommands,
  ...scheduleCommands,
  ...templateCommands,
  ...templateSourceCommands,
  showUsage,
  showActivity,
  ...memberCommands,
  ...tokenCommands,
  ...webhookCommands,
  ...sshKeyCommands,
  ...logLevelCommands,
  ...nodeCommands,
  drainNode,
  ...databaseHostCommands,
  ...edgeCommands,
  ...foreignEdgeCommands,
  ...planCommands,
  ...abuseCommands,
  ...userCommands,
  ...identityProviderCommands,
  backUpInstance,
  restoreInstance,
  doctor,
  completion,
]
