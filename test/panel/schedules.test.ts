import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { addMember, eventually, startAcme } from '../world/panel.ts'

testOnEachDatabase(
  'a schedule makes a backup, waits until it is ready, and needs the permission for it',
  async (config) => {
    await using world = await startAcme(config)
    const { acme, panel } = world
    const { credential, nodeId } = await panel.registerLocalNode('local')
    // So that its servers need no edge.
    await world.database.kysely.updateTable('nodes').set({ public_address: '127.0.0.1' }).execute()
    const dataDir = join(world.folder, 'node')
    await using _node = await startNode(
      {
        dataDir,
        panels: [{ host: '127.0.0.1', port: panel.port, pin: panel.pin }],
        credential: credential.reveal(),
      },
      { log: silentLog },
    )
    await eventually(() => panel.isLinked(nodeId), 'the node is linked')
    const { id } = await acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
    const params = { serverId: id.slice('servers/'.length) }
    await eventually(async () => (await acme.server({ params })).status === 'offline', 'the server is installed')
    await writeFile(join(dataDir, 'servers', params.serverId, 'data', 'world'), 'precious')

    const body = { name: 'Nightly', cron: '@daily', tasks: [{ kind: 'backup', name: 'Night' } as const] }
    const made = await acme.createSchedule({ params, body })
    const ended = async () => {
      await acme.runSchedule({ params: { ...params, schedule: made.id } })
      return eventually(async () => {
        const [run] = await acme.scheduleRuns({ params: { ...params, schedule: made.id } })
        return run?.state === 'running' ? null : run
      }, 'the run has ended')
    }
    const done = await ended()
    assert.deepEqual([done.state, done.message], ['done', null])
    const [backup] = await acme.backups({ params })
    assert.deepEqual([backup?.name, backup?.state], ['Night', 'ready'])
    const { entries } = await acme.serverActivity({ params })
    const act = entries.find(({ operation }) => operation === 'createBackup')
    assert.deepEqual([act?.via, act?.permission, act?.outcome], ['schedule', 'backups.create', 'done'])

    const bob = await addMember(world, 'bob@example.com')
    await acme.createSubuser({
      params,
      body: { userEmail: 'bob@example.com', permissions: ['schedules.create', 'backups.read'] },
    })
    await assert.rejects(world.client(bob.key).createSchedule({ params, body }), {
      code: 'forbidden',
      message: /backups\.create/,
    })
    // Whatever the limit is, the run beyond it says so.
    let last = done
    for (let n = 0; n < 12 && last.state === 'done'; n++) last = await ended()
    assert.equal(last.state, 'failed')
    assert.match(last.message ?? '', /may have \d+ backups/)
  },
)
