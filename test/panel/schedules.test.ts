import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'
import { firstMessage } from '../children.ts'
import { testOnEachDatabase } from '../databases.ts'
import { reservePorts } from '../ports.ts'
import { addMember, eventually, startAcme, startPanelWorld } from '../world/panel.ts'
import { joinFakeNode } from '../world/panel-node.ts'

testOnEachDatabase(
  'a schedule makes a backup, waits until it is ready, and needs the permission for it',
  async (config) => {
    await using world = await startAcme(config, { config: { nodePorts: await reservePorts(5) } })
    const { acme, panel } = world
    await acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 1_000_000 } })
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

    const body = { name: 'Nightly', cron: '@yearly', tasks: [{ kind: 'backup', name: 'Night' } as const] }
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

test('a panel killed in the middle of a run says at which task, once it is back', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-killed-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const database = { kind: 'sqlite', file: join(folder, 'panel.db') } as const
  const before = await startAcme(database, { folder })
  const { key, acme } = before
  const node = await joinFakeNode(acme)
  const { id } = await acme.createServer({ body: { name: 'Lobby', template: 'plain', start: false } })
  const params = { serverId: id.slice('servers/'.length) }
  const tasks = [
    { kind: 'wait', until: 'running', timeoutSeconds: 1, continueOnFailure: true },
    { kind: 'wait', until: 'running', timeoutSeconds: 600 },
    { kind: 'power', action: 'kill' },
  ] as const
  const { id: schedule } = await acme.createSchedule({
    params,
    body: { name: 'Long', cron: '@yearly', tasks: [...tasks] },
  })
  await node[Symbol.asyncDispose]()
  await before[Symbol.asyncDispose]()

  const child = fork(join(import.meta.dirname, '../world/panel-process.ts'), { stdio: 'inherit' })
  t.after(() => child.kill('SIGKILL'))
  child.send({ port: 0, dataDir: folder, templatesDir: join(folder, 'templates'), database })
  const { port } = (await firstMessage(child)) as { port: number }
  const doomed = createClient(publicOperations, { baseUrl: `http://127.0.0.1:${port}/api/v1`, token: key })
  await doomed.runSchedule({ params: { ...params, schedule } })
  const latest = async (api: typeof doomed) => (await api.scheduleRuns({ params: { ...params, schedule } }))[0]
  await eventually(async () => (await latest(doomed))?.tasks[1]?.state === 'running', 'the second task is under way')
  const died = once(child, 'exit')
  child.kill('SIGKILL')
  await died

  await using after = await startPanelWorld(database, { folder })
  const run = await eventually(async () => {
    const found = await latest(after.client(key))
    return found?.state === 'running' ? null : found
  }, 'the panel has found the run')
  assert.equal(run.state, 'interrupted')
  assert.match(run.message ?? '', /during task 2, which may have happened/)
  assert.deepEqual(
    run.tasks.map(({ state }) => state),
    ['failed', 'interrupted', 'not_run'],
  )
})
