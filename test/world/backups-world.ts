import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Client } from '../../src/client/index.ts'
import type { publicOperations } from '../../src/contract/api/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'
import type { PanelConfigInput, PanelSecrets } from '../../src/panel/config.ts'
import type { DatabaseConfig } from '../../src/panel/db/index.ts'
import { firstMessage } from '../children.ts'
import { reservePort, reservePorts } from '../ports.ts'
import { eventually, startAcme } from './panel.ts'

type Api = Client<typeof publicOperations>

/** A panel, a real node, and one stopped server. */
export async function startBackupsWorld(
  database: DatabaseConfig,
  {
    config = {},
    secrets = {},
    linked = true,
  }: { config?: Partial<PanelConfigInput>; secrets?: PanelSecrets; linked?: boolean } = {},
) {
  await using closer = new AsyncDisposableStack()
  const world = closer.use(
    await startAcme(database, {
      config: { port: await reservePort(), nodePorts: await reservePorts(5), ...config },
      secrets,
    }),
  )
  await world.acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
  const { credential, nodeId } = await world.panel.registerLocalNode('local')
  // So that its servers need no edge.
  await world.database.kysely.updateTable('nodes').set({ public_address: '127.0.0.1' }).execute()
  const { port, pin } = world.panel
  const nodeConfig = {
    dataDir: join(world.folder, 'node'),
    panels: [{ host: '127.0.0.1', port, pin }],
    credential: credential.reveal(),
  }
  const children: ChildProcess[] = []
  closer.defer(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const startHere = async () => closer.use(await startNode(nodeConfig, { log: silentLog }))
  const startApart = async () => {
    const child = fork(join(import.meta.dirname, 'node-process.ts'), { stdio: 'inherit' })
    children.push(child)
    child.send(nodeConfig)
    await firstMessage(child)
    return child
  }
  const child = linked ? null : await startApart()
  if (linked) await startHere()
  await eventually(() => world.panel.isLinked(nodeId), 'the node is linked')
  const { id } = await world.acme.createServer({
    body: { name: 'Lobby', template: 'plain', start: false, resources: { disk: 2000 } },
  })
  const serverId = id.slice('servers/'.length)
  const status = async () => (await world.acme.server({ params: { serverId } })).status
  await eventually(async () => (await status()) === 'offline', 'the server is installed')
  const data = join(nodeConfig.dataDir, 'servers', serverId, 'data')
  const running = closer.move()
  return {
    ...world,
    serverId,
    data,
    archives: join(nodeConfig.dataDir, 'backups', serverId),
    status,
    child,
    startApart,
    nodeId,
    async back(body: Parameters<Api['createBackup']>[0]['body'] = {}) {
      const { backupId } = await world.acme.createBackup({ params: { serverId }, body })
      return eventually(async () => {
        const backup = await world.acme.backup({ params: { serverId, backup: backupId } })
        return backup.state === 'ready' || backup.state === 'failed' ? backup : null
      }, 'the backup has ended')
    },
    /** What a folder of a backup holds, once it has been read. */
    async filesIn(backup: string, path = '') {
      const ask = () => world.acme.backupFiles({ params: { serverId, backup }, query: { path } })
      return eventually(async () => {
        const { entries, reading } = await ask()
        return reading ? null : entries
      }, 'the backup has been read')
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
