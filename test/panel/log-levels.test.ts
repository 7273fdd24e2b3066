import assert from 'node:assert/strict'
import { pino } from 'pino'
import { tlsDialler } from '../../src/link/index.ts'
import { testOnEachDatabase } from '../databases.ts'
import { FakeEdge } from '../world/fake-edge.ts'
import { FakeNode } from '../world/fake-node.ts'
import { eventually, MovableClock, startAcme, startPanelWorld } from '../world/panel.ts'

const logAt = (level: string) => pino({ level }, { write: () => undefined })

testOnEachDatabase('the log of panels, nodes and edges says more for a while, without a restart', async (database) => {
  const log = logAt('warn')
  const clock = new MovableClock()
  await using world = await startAcme(database, { log, clock })
  const { acme, panel } = world
  const { nodeId, credential } = await panel.registerLocalNode('attic')
  const dialler = tlsDialler({ host: '127.0.0.1', port: panel.port, pin: panel.pin })
  await using node = new FakeNode({ dialler, credential: credential.reveal() })
  await node.connect()
  await eventually(() => panel.isLinked(nodeId), 'the node is here')
  await using edge = await FakeEdge.register(world, 'frankfurt')
  const set = (part: string, minutes?: number) =>
    acme.setLogLevel({ params: { part }, body: { level: 'debug', ...(minutes && { minutes }) } })

  const ofPanel = await set('panel')
  assert.deepEqual([ofPanel.kind, ofPanel.level, ofPanel.reached, log.level], ['panel', 'debug', true, 'debug'])
  assert.equal(Date.parse(ofPanel.until), clock.now() + 15 * 60_000)
  assert.deepEqual([(await set(nodeId, 60)).reached, (await set(edge.id)).reached], [true, true])
  assert.deepEqual(node.logLevels.at(-1), { level: 'debug', forMs: 3_600_000 })
  assert.deepEqual(edge.logLevels.at(-1), { level: 'debug', forMs: 900_000 })
  const { levels } = await acme.logLevels()
  assert.deepEqual(levels.map(({ kind, name }) => `${kind} ${name}`).sort(), [
    'edge frankfurt',
    'node attic',
    'panel panel',
  ])
  assert.equal((await acme.edge({ params: { edge: 'frankfurt' } })).id, edge.id)

  // One that comes back has forgotten it: it is told what is left.
  clock.advance(60_000)
  await node.leave()
  await eventually(() => !panel.isLinked(nodeId), 'the node is away')
  assert.equal((await set(nodeId, 30)).reached, false)
  const told = node.logLevels.length
  await node.connect()
  await eventually(() => node.logLevels.length > told, 'the node is told again')
  assert.deepEqual(node.logLevels.at(-1), { level: 'debug', forMs: 1_800_000 })

  await acme.resetLogLevel({ params: { part: nodeId } })
  assert.deepEqual(node.logLevels.at(-1), { level: null, forMs: 0 })
  await acme.resetLogLevel({ params: { part: 'panel' } })
  await acme.resetLogLevel({ params: { part: 'panel' } })
  assert.equal(log.level, 'warn')
  clock.advance(3_600_000)
  assert.deepEqual(await acme.logLevels(), { levels: [] })

  for (const part of ['nobody', 'local', '*']) {
    await assert.rejects(set(part), { code: 'not_found' })
    await assert.rejects(acme.resetLogLevel({ params: { part } }), { code: 'not_found' })
  }
  for (const minutes of [-1, 1441, 0.5]) await assert.rejects(set('panel', minutes), { code: 'invalid_request' })

  if (database.kind === 'sqlite') return
  const other = logAt('error')
  await using beside = await startPanelWorld(database, { beside: world, log: other, clock })
  await beside.client(world.key).setLogLevel({ params: { part: 'panel' }, body: { level: 'info' } })
  assert.equal(other.level, 'info')
  await eventually(() => log.level === 'info', 'the other panel follows')
  const late = logAt('silent')
  await using third = await startPanelWorld(database, { beside: world, log: late, clock })
  await eventually(() => late.level === 'info', 'a panel that starts meanwhile follows')
  await third.client(world.key).resetLogLevel({ params: { part: 'panel' } })
  await eventually(
    () => log.level === 'warn' && other.level === 'error' && late.level === 'silent',
    'all are as before',
  )
})
