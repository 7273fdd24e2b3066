import assert from 'node:assert/strict'
import { testOnEachDatabase, testOnPostgres } from '../../../test/databases.ts'
import { startAcme } from '../../../test/world/panel.ts'

const attic = { id: '0197f3a2-0000-7000-8000-000000000001', hostname: 'attic' }
const cellar = { id: '0197f3a2-0000-7000-8000-000000000002', hostname: 'cellar' }

testOnEachDatabase('a machine finds its node and its edge again; another one gets its own', async (database) => {
  await using world = await startAcme(database)
  const { panel } = world
  const node = async (machine: typeof attic) => {
    const { nodeId, name } = await panel.registerLocalNode('local', machine)
    return { nodeId, name }
  }
  // Of the time before machines were told apart.
  const old = await panel.registerLocalNode('local')
  const first = await node(attic)
  assert.deepEqual(first, { nodeId: old.nodeId, name: 'local' })
  assert.deepEqual(await node(attic), first)
  // On an SQLite file there is one machine, whatever it is called by now.
  if (database.kind === 'sqlite') return assert.deepEqual(await node(cellar), first)
  const second = await node(cellar)
  assert.equal(second.name, 'cellar')
  const twin = await node({ ...cellar, id: attic.id.replace(/1$/, '3') })
  assert.equal(twin.name, 'cellar-2')
  assert.deepEqual([await node(cellar), await node(attic)], [second, first])

  const edge = async (name: string, { id }: { id: string }) =>
    (await panel.registerLocalEdge(name, { id, adopts: name === 'local' })).edgeId
  const oldEdge = await panel.registerLocalEdge('local')
  assert.equal(await edge('local', attic), oldEdge.edgeId)
  const registered = await world.acme.createEdge({ body: { name: 'cellar' } })
  const own = await edge('cellar', cellar)
  assert.notEqual(own, registered.id, 'an edge that somebody has registered is left alone')
  assert.deepEqual([await edge('cellar', cellar), await edge('local', attic)], [own, oldEdge.edgeId])
})

testOnPostgres('machines that start at the same moment get a node each', async (database) => {
  await using world = await startAcme(database)
  const [one, two] = await Promise.all(
    [attic, cellar].map((machine) => world.panel.registerLocalNode('local', machine)),
  )
  assert.notEqual(one?.nodeId, two?.nodeId)
  assert.equal([one, two].filter((node) => node?.name === 'local').length, 1)
})
