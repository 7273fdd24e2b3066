import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { reservePort } from '../../../test/ports.ts'
import { ask, makeSpec, openWorld, printed, reached, running } from '../testing/world.ts'
import { freePorts } from './ports.ts'

test('new limits hold for a running server at once', async (t) => {
  const { servers, runtime } = await openWorld(t)
  if (!runtime.capabilities.memoryLimit) return t.skip('this machine cannot limit memory')
  const small = await makeSpec({}, { restartOnCrash: false, resources: { memory: 128, disk: 1000, cpu: 1 } })
  const spec = await running(servers, small)
  const allocate = `eval Buffer.alloc(300e6, 1).length`
  await servers.put({ ...spec, revision: 2, resources: { memory: 768, disk: 1000, cpu: 1 } })
  assert.equal(await ask(servers, spec.id, allocate, 'eval 3'), 'eval 300000000')
  await servers.get(spec.id).power('restart')
  await reached(servers, spec.id, 'starting')
  await reached(servers, spec.id, 'running')
  await servers.put({ ...spec, revision: 3 })
  await servers.get(spec.id).command(allocate)
  const { lastExit } = await reached(
    servers,
    spec.id,
    ({ phase, lastExit: end }) => phase === 'offline' && end?.outOfMemory === true,
  )
  assert.equal(lastExit?.crashed, true)
})

test('a server that is suspended while it runs is stopped in an orderly way, and stays so', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec())
  await servers.put({ ...spec, revision: 2, suspended: true })
  const { lastExit } = await reached(servers, spec.id, 'offline')
  assert.deepEqual([lastExit?.code, lastExit?.crashed], [0, false])
  await assert.rejects(servers.get(spec.id).power('start'), /suspended/)
  await servers.put({ ...spec, revision: 3, suspended: false })
  await servers.get(spec.id).power('start')
  await reached(servers, spec.id, 'running')
})

test('a server that waits to be restarted after a crash does not come back once it is suspended', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec())
  await servers.get(spec.id).command('eval setTimeout(() => process.exit(3), 0) && 1')
  await reached(servers, spec.id, ({ phase, lastExit }) => phase === 'offline' && lastExit?.crashed === true)
  const state = await servers.put({ ...spec, revision: 2, suspended: true })
  assert.equal(state.phase, 'offline')
  await assert.rejects(servers.get(spec.id).power('start'), /suspended/)
})

test('another primary port is what a server listens on from its next start', async (t) => {
  const { servers } = await openWorld(t)
  const spec = await running(servers, await makeSpec())
  const [first] = spec.allocations
  const other = (await makeSpec()).allocations[0]
  assert.ok(first && other)
  await servers.put({ ...spec, revision: 2, allocations: [{ ...other, id: 'second' }, first] })
  assert.equal(await ask(servers, spec.id, 'env SERVER_PORT', 'env SERVER'), `env SERVER_PORT=${first.port}`)
  await servers.get(spec.id).power('restart')
  await reached(servers, spec.id, 'starting')
  await reached(servers, spec.id, 'running')
  const now = printed(servers, spec.id, `env SERVER_PORT=${other.port}`)
  await servers.get(spec.id).command('env SERVER_PORT')
  await now
})

test('a port is free only where nobody has it on any of the transports', async () => {
  // Reserved, since each must be free but for what the test itself does: a connection of somebody else could have the number.
  const [taken, half] = [await reservePort(), await reservePort()]
  const tcp = createServer().listen(taken, '0.0.0.0')
  await once(tcp, 'listening')
  const udp = createSocket('udp4').bind(half, '0.0.0.0')
  await once(udp, 'listening')
  try {
    assert.deepEqual(await freePorts([taken], ['tcp']), [])
    assert.deepEqual(await freePorts([taken], ['tcp', 'udp']), [])
    assert.deepEqual(await freePorts([half], ['tcp']), [half])
    assert.deepEqual(await freePorts([taken, half], ['tcp', 'udp']), [])
    assert.deepEqual(await freePorts([], ['udp']), [])
  } finally {
    tcp.close()
    udp.close()
  }
})
