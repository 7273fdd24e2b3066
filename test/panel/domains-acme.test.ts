import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiError } from '../../src/client/index.ts'
import { needsPebble, TestPebble } from '../pebble.ts'
import { type DomainsWorld, setRecords, startDomainsWorld } from '../world/domains-world.ts'
import { eventually } from '../world/panel.ts'
import { handshake, shown, visit } from '../world/tls-visitor.ts'

/** Certificates by Pebble, the authority that Let's Encrypt gives to those who test. */

const closer = new AsyncDisposableStack()
let skipped = false
let pebble: TestPebble
let world: DomainsWorld

before(async () => {
  const skip = (): void => {
    skipped = true
  }
  if (!needsPebble({ skip })) return
  world = await startDomainsWorld(closer, async ({ edgePort, dns }) => {
    pebble = closer.use(
      await TestPebble.start({ dns: dns.address, httpPort: edgePort, tlsPort: edgePort, noncesRefused: 40 }),
    )
    return { acme: { directory: pebble.directory, root: pebble.root, email: 'ada@example.com' } }
  })
})
after(() => closer.disposeAsync())

test('a domain is proved, gets its certificate over HTTP, and is renewed over TLS; visitors see each', async (t) => {
  if (skipped) return t.skip('Pebble is not installed: apt-get install pebble')
  const { acme } = world
  const made = await acme.createDomain({ body: { name: 'App.Example.org.', tunnel: 'web' } })
  assert.equal(made.name, 'app.example.org')
  assert.equal(made.state, 'pending')
  await setRecords(world, made.id)
  await lookedAt(made.id)
  const issued = await certified(made.id)
  assert.equal(issued.state, 'active')
  assert.equal(issued.url, `https://app.example.org:${world.edgePort}`)
  const first = await shown(world.edgePort, 'app.example.org')
  assert.match(first.subjectAltName ?? '', /DNS:app\.example\.org/)
  assert.equal(await visit(world.edgePort, 'app.example.org', '/x'), 'the service at app.example.org/x')
  assert.equal(
    await visit(world.edgePort, 'app.example.org', '/.well-known/acme-challenge/abc'),
    'the service at app.example.org/.well-known/acme-challenge/abc',
  )
  const { tunnels } = await acme.tunnels()
  assert.ok(tunnels.find(({ name }) => name === 'web')?.addresses.includes(issued.url ?? ''))

  const before = pebble.output
  assert.match(before, /validate w\/ HTTP: http:\/\/app\.example\.org/)
  // After a failure it is the other way's turn.
  await renewNow(made.id, { failures: 1 })
  const second = await eventually(async () => {
    const certificate = await shown(world.edgePort, 'app.example.org')
    return certificate.serialNumber === first.serialNumber ? null : certificate
  }, 'the renewed certificate is shown')
  assert.match(second.subjectAltName ?? '', /DNS:app\.example\.org/)
  // It says so of HTTP alone.
  assert.doesNotMatch(pebble.output.slice(before.length), /validate w\/ HTTP/)
  const orders = pebble.orders
  await acme.deleteDomain({ params: { domain: made.id } })
  await eventually(
    async () => (await handshake(world.edgePort, 'app.example.org')) === null,
    'the edge has forgotten the certificate',
  )
  assert.equal(pebble.orders, orders)
})

/** As somebody does who has just set the records. */
const lookedAt = (id: string) =>
  eventually(
    () =>
      world.acme.checkDomain({ params: { domain: id } }).catch((error: unknown) => {
        if (error instanceof ApiError && (error.code === 'conflict' || error.code === 'rate_limited')) return null
        throw error
      }),
    'the domain is looked at',
  )

async function certified(id: string) {
  return eventually(async () => {
    const domain = await world.acme.domain({ params: { domain: id } })
    return domain.certificate.state === 'issued' ? domain : null
  }, 'a certificate is issued').catch(async (error: unknown) => {
    const domain = await world.acme.domain({ params: { domain: id } })
    throw new Error(`${JSON.stringify(domain)}\n${pebble.output}`, { cause: error })
  })
}

async function renewNow(id: string, change: { failures?: number } = {}): Promise<void> {
  await world.database.kysely
    .updateTable('domain_certificates')
    .set({ renew_at: 1, next_at: 1, ...change })
    .where('domain_id', '=', id)
    .execute()
}
