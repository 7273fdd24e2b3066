import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsPebble, TestPebble } from '../pebble.ts'
import { setRecords, startDomainsWorld } from '../world/domains-world.ts'
import { eventually } from '../world/panel.ts'
import { shown } from '../world/tls-visitor.ts'
import { PanelProcess } from '../world/two-panels.ts'

test('a panel that is killed in the middle of an order goes on with that order, and asks for no second one', async (t) => {
  if (!needsPebble(t)) return
  await using closer = new AsyncDisposableStack()
  let pebble: TestPebble | undefined
  const world = await startDomainsWorld(closer, async ({ edgePort, dns }) => {
    pebble = closer.use(
      // It takes some seconds before it looks: time to be killed in.
      await TestPebble.start({ dns: dns.address, httpPort: edgePort, tlsPort: edgePort, slowSeconds: 4 }),
    )
    return { acme: { directory: pebble.directory, root: pebble.root } }
  })
  // The same panel in a process of its own.
  await world[Symbol.asyncDispose]()
  const panel = new PanelProcess({
    ...world.config,
    dataDir: world.folder,
    templatesDir: join(world.folder, 'templates'),
    database: { kind: 'sqlite', file: join(world.folder, 'panel.db') },
  })
  closer.defer(() => panel.kill())
  await panel.start()
  const acme = panel.client(world.key)
  await eventually(async () => (await acme.tunnels()).tunnels.some(({ open }) => open), 'the tunnels are open again')
  const { id } = await acme.createDomain({ body: { name: 'app.example.org', tunnel: 'web' } })
  await setRecords({ acme, dns: world.dns }, id)
  const state = async (): Promise<string> => (await acme.domain({ params: { domain: id } })).certificate.state
  await eventually(async () => (await state()) === 'ordering' && pebble?.orders === 1, 'the order is under way')
  await panel.kill()
  await panel.start()
  await eventually(async () => (await state()) === 'issued', 'the certificate is issued')
  assert.equal(pebble?.orders, 1)
  assert.match((await shown(world.edgePort, 'app.example.org')).subjectAltName ?? '', /DNS:app\.example\.org/)
})
