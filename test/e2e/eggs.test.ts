import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { silentLog } from '../../src/lib/log.ts'
import { startNode } from '../../src/node/index.ts'
import { createDebianPackages } from '../../src/node/install/debian.ts'
import { reservePorts } from '../ports.ts'
import { startAcme } from '../world/panel.ts'
import { joinedNode } from '../world/panel-node.ts'
import { keyOf, until as poll } from '../world/servers-world.ts'

/** Long enough for real programs on a busy machine. */
const until = <T>(what: string, look: () => T | Promise<T>) => poll(what, look, { everyMs: 100 })

/** A panel with a real node. */
async function startWorld(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-e2e-eggs-'))
  const stack = new AsyncDisposableStack()
  t.after(async () => {
    await stack.disposeAsync()
    await rm(folder, { recursive: true, force: true })
  })
  const { acme } = stack.use(await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }))
  await acme.putWorkspacePlan({ params: { slug: 'acme' }, body: { plan: 'enterprise', rateLimit: 100_000 } })
  const { joinToken } = await acme.createNode({
    body: { name: 'machine', publicAddress: '127.0.0.1', ports: await reservePorts(1) },
  })
  const credential = await joinedNode(joinToken)
  const { panel } = decodeJoinToken(joinToken)
  stack.use(await startNode({ dataDir: join(folder, 'node'), panels: [panel], credential }, { log: silentLog }))
  // A test that fails must not leave games running: the node would, on purpose.
  stack.defer(async () => {
    for (const { id } of await acme.servers()) await acme.deleteServer({ params: { serverId: keyOf(id) } })
  })
  await until('the node is here', async () => (await acme.nodes()).nodes.some(({ online }) => online))
  return { acme, folder }
}

/** Debian's OpenTTD, which the script of the egg expects on the machine. */
async function needsOpenttd(t: TestContext): Promise<boolean> {
  const why = await createDebianPackages()
    .ensure(['openttd', 'openttd-opengfx'], () => undefined, new AbortController().signal)
    .then(
      () => null,
      (error: Error) => error,
    )
  if (why && process.env.CI === 'true') throw why
  if (why) t.skip(why.message)
  return why === null
}

test('an imported egg installs, is configured, runs a real game that can be reached, and stops by its command', async (t) => {
  if (!(await needsOpenttd(t))) return
  const { acme, folder } = await startWorld(t)
  const egg = await readFile(join(import.meta.dirname, '../eggs/openttd.json'), 'utf8')
  const { template } = await acme.importTemplate({ body: { egg, id: 'openttd-egg' } })
  const { id } = await acme.createServer({
    body: {
      name: 'trains',
      template: template.id,
      resources: { memory: 512, cpu: 1, disk: 1024 },
      variables: { SRV_NAME: 'Trains & more' },
      start: true,
    },
  })
  const params = { serverId: keyOf(id) }
  const isStatus = (wanted: string) => async () => {
    const { status, message } = await acme.server({ params })
    assert.notEqual(status, 'install_failed', String(message))
    return status === wanted
  }
  await until('it runs', isStatus('running'))
  const { allocations } = await acme.server({ params })
  const port = allocations[0]?.local ?? 0
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy()).once('close', () => resolve())
    socket.once('error', reject)
  })
  const { logs } = await acme.consoleLog({ params, query: { size: '200' } })
  assert.match(logs.join('\n'), /OpenTTD for Trains & more is there/)
  const config = await readFile(join(folder, 'node/servers', keyOf(id), 'data/openttd.cfg'), 'utf8')
  assert.match(config, new RegExp(`server_port = ${port}\\b`))
  assert.match(config, /server_name ?= ?Trains & more/)
  await acme.power({ params, body: { action: 'stop' } })
  await until('it has stopped', isStatus('offline'))
  assert.deepEqual((await acme.server({ params })).lastExit?.code, 0)
})
