import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { ApiError } from '../../src/client/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { refused } from '../refused.ts'
import { base, type DomainsWorld, setRecords, startDomainsWorld } from '../world/domains-world.ts'
import { addMember, eventually, MovableClock } from '../world/panel.ts'

/** Whose a domain is, and what visitors get of it. Nobody makes certificates here. */

const closer = new AsyncDisposableStack()
const clock = new MovableClock()
let world: DomainsWorld
/** Another workspace. */
let bobs: ReturnType<DomainsWorld['client']>

before(async () => {
  world = await startDomainsWorld(closer, async () => ({ publicUrl: 'https://panel.example.net' }), { clock })
  const bob = await addMember(world, 'bob@example.com')
  await world.client(bob.key).createWorkspace({ body: { name: 'Bob', slug: 'bobs' } })
  const reply = await fetch(`${world.api}/tokens`, {
    method: 'POST',
    headers: { cookie: bob.cookie, origin: 'https://panel.example.net', 'x-pharos-workspace': 'bobs' },
  })
  const { token } = (await reply.json()) as { token: string }
  bobs = world.client(token)
  const { id } = await world.database.kysely
    .selectFrom('workspaces')
    .select('id')
    .where('slug', '=', 'bobs')
    .executeTakeFirstOrThrow()
  // Never open: whose the domain is does not depend on that.
  await world.database.kysely
    .insertInto('tunnels')
    .values({
      ...{ id: newId('tun'), workspace_id: id, name: 'shop', kind: 'http', edge_port: null, port_count: 1 },
      ...{ entrance: null, allocation_id: null, created_at: clock.now(), deleted_at: null },
    })
    .execute()
})
after(() => closer.disposeAsync())

test('a domain is served once its record is found, under any way to write it, and not after it was given up', async () => {
  const { acme, dns } = world
  const made = await acme.createDomain({ body: { name: 'App.Example.org.', tunnel: 'web' } })
  assert.equal(made.name, 'app.example.org')
  assert.equal(made.state, 'pending')
  assert.deepEqual(
    made.records.map(({ purpose, type, name, value }) => [purpose, type, name, value.replace(/=.*/, '=')]),
    [
      ['ownership', 'TXT', '_pharos-verify.app.example.org', 'pharos-domain-verify='],
      ['address', 'CNAME', 'app.example.org', `web-acme.${base}`],
      ['address', 'A', 'app.example.org', '127.0.0.1'],
    ],
  )
  const before = await look(acme, made.id)
  assert.equal(before.state, 'pending')
  assert.equal(before.check?.reason, 'no_record')
  assert.match(before.check?.message ?? '', /no TXT record at _pharos-verify\.app\.example\.org/)
  assert.equal((await visit('app.example.org')).status, 404)

  await setRecords(world, made.id, { address: false })
  const proved = await look(acme, made.id)
  assert.equal(proved.state, 'active')
  assert.equal(proved.check?.reason, 'not_here')
  assert.match(proved.check?.message ?? '', /does not lead to this installation yet/)
  await eventually(
    async () => (await visit('APP.example.org.')).text === 'the service at APP.example.org./x',
    'it is served',
  )
  assert.equal((await visit('a.app.example.org')).status, 404)
  dns.set('A', 'app.example.org', '127.0.0.1')
  assert.equal((await look(acme, made.id)).check?.message, 'Everything is set.')
  assert.equal((await acme.domain({ params: { domain: made.id } })).certificate.state, 'none')

  await acme.deleteDomain({ params: { domain: made.id } })
  await eventually(async () => (await visit('app.example.org')).status !== 200, 'it is not served any more')
  await assert.rejects(acme.domain({ params: { domain: made.id } }), refused('not_found', /not found/))
  const again = await acme.createDomain({ body: { name: 'app.example.org', tunnel: 'web' } })
  assert.equal((await look(acme, again.id)).state, 'pending', 'the record of before proves nothing')
  await acme.deleteDomain({ params: { domain: again.id } })
})

test('refuses what is no name, nobody can own, or is the installation’s own, however it is written', async () => {
  const create = (name: string) => world.acme.createDomain({ body: { name, tunnel: 'web' } })
  for (const name of [
    base,
    `x.${base}.`,
    `*.${base.toUpperCase()}`,
    '*.example.com',
    'panel.example.net',
    '*.example.net',
  ])
    await assert.rejects(create(name), refused('conflict', /belongs to this installation/), name)
  for (const name of [
    'localhost',
    'one',
    '127.0.0.1',
    '[::1]',
    '1.2.3.4.',
    'a..example.org',
    '-a.example.org',
    'a_b.example.org',
    '*',
    '*.*.example.org',
    'x.*.example.org',
    'http://example.org',
    'example.org:80',
    'foo.localhost',
    'x.onion',
    'example.123',
    `${'a'.repeat(64)}.example.org`,
    `${'a.'.repeat(120)}example.org`,
  ])
    await assert.rejects(create(name), refused('invalid_request', /body\.name/), name)
  const made = await create('Bücher.Example.org')
  assert.equal(made.name, 'xn--bcher-kva.example.org')
  assert.equal(made.displayName, 'bücher.example.org')
  await assert.rejects(
    create('XN--BCHER-KVA.example.org.'),
    refused('conflict', /has xn--bcher-kva\.example\.org already/),
  )
  await assert.rejects(
    world.acme.createDomain({ body: { name: 'other.example.org', tunnel: 'nothing' } }),
    refused('not_found', /Tunnel nothing/),
  )
  await world.acme.deleteDomain({ params: { domain: made.id } })
})

test('nobody takes a domain that another workspace proves: not the name, not one below its wildcard, not a wildcard over it', async () => {
  const { acme, dns } = world
  const mine = await acme.createDomain({ body: { name: '*.mine.org', tunnel: 'web' } })
  const single = await acme.createDomain({ body: { name: 'app.single.org', tunnel: 'web' } })
  for (const { id } of [mine, single]) {
    await setRecords(world, id)
    assert.equal((await look(acme, id)).state, 'active')
  }
  const theirs = []
  for (const name of ['app.mine.org', '*.mine.org', '*.single.org', 'app.single.org'])
    theirs.push(await bobs.createDomain({ body: { name, tunnel: 'shop' } }))
  for (const { id, name, records } of theirs) {
    addText(dns, records)
    const seen = await look(bobs, id)
    assert.equal(seen.state, 'pending', name)
    assert.equal(seen.check?.reason, 'taken', name)
    assert.match(seen.check?.message ?? '', /Another workspace has proved/, name)
  }
  assert.equal((await visit('app.single.org')).text, 'the service at app.single.org/x')
  // Beside it there is room.
  const beside = await bobs.createDomain({ body: { name: 'mine.org', tunnel: 'shop' } })
  addText(dns, beside.records)
  assert.equal((await look(bobs, beside.id)).state, 'active')

  // The owner of the zone says so by the records: what the first one had is the other one's at once.
  const [, , , same] = theirs
  assert.ok(same)
  dns.set('TXT', '_pharos-verify.app.single.org', ...ownershipOf(same.records))
  assert.equal((await look(bobs, same.id)).state, 'active')
  const lost = await acme.domain({ params: { domain: single.id } })
  assert.equal(lost.state, 'off')
  await eventually(
    async () => (await visit('app.single.org')).status !== 200,
    'the first one does not serve it any more',
  )
  await assert.rejects(acme.domain({ params: { domain: same.id } }), refused('not_found', /not found/))
  for (const { id } of [...theirs, beside]) await bobs.deleteDomain({ params: { domain: id } })
  for (const { id } of [mine, single]) await acme.deleteDomain({ params: { domain: id } })
})

test('an alias at the place of the record proves nothing, whatever its target says', async () => {
  const { acme, dns } = world
  const made = await acme.createDomain({ body: { name: 'alias.example.org', tunnel: 'web' } })
  dns.set('CNAME', '_pharos-verify.alias.example.org', 'records.example.info')
  dns.set('TXT', 'records.example.info', ...ownershipOf(made.records))
  const seen = await look(acme, made.id)
  assert.equal(seen.state, 'pending')
  assert.equal(seen.check?.reason, 'alias')
  assert.match(seen.check?.message ?? '', /is an alias \(CNAME\)/)
  await acme.deleteDomain({ params: { domain: made.id } })
})

test('a proof that is gone is warned of, a DNS that fails changes nothing, and after three days visitors are kept out', async () => {
  const { acme, dns } = world
  const made = await acme.createDomain({ body: { name: 'lost.example.org', tunnel: 'web' } })
  await setRecords(world, made.id)
  assert.equal((await look(acme, made.id)).state, 'active')
  dns.failing = true
  const blind = await look(acme, made.id)
  assert.equal(blind.state, 'active')
  assert.equal(blind.check?.ownership, 'unknown')
  dns.failing = false
  dns.set('TXT', '_pharos-verify.lost.example.org', 'something else')
  const warned = await look(acme, made.id)
  assert.equal(warned.state, 'warned')
  assert.ok(warned.offAt)
  assert.equal(warned.check?.reason, 'other_record')
  assert.match(warned.check?.message ?? '', /but not this one/)
  assert.deepEqual(warned.check?.found, ['_pharos-verify.lost.example.org TXT something else'])
  assert.equal((await visit('lost.example.org')).status, 200)
  clock.advance(3 * 86_400_000)
  assert.equal((await look(acme, made.id)).state, 'off')
  await eventually(async () => (await visit('lost.example.org')).status !== 200, 'it is not served any more')
  const { entries } = await acme.workspaceActivity({ query: {} })
  assert.ok(entries.some(({ operation }) => operation === 'domainWarned'))
  assert.ok(entries.some(({ operation }) => operation === 'domainOff'))
  await setRecords(world, made.id)
  assert.equal((await look(acme, made.id)).state, 'active')
  await eventually(async () => (await visit('lost.example.org')).status === 200, 'it is served again')
  await acme.deleteDomain({ params: { domain: made.id } })
})

test('a domain moves to another tunnel with its visitors, and a tunnel has only so many', async () => {
  const { acme } = world
  const made = await acme.createDomain({ body: { name: 'moves.example.org', tunnel: 'web' } })
  await setRecords(world, made.id)
  await look(acme, made.id)
  await eventually(async () => (await visit('moves.example.org')).status === 200, 'it is served')
  const moved = await acme.updateDomain({ params: { domain: made.id }, body: { tunnel: 'other' } })
  assert.equal(moved.tunnel, 'other')
  await eventually(async () => {
    const { tunnels } = await acme.tunnels()
    const urls = (name: string): string[] => tunnels.find((tunnel) => tunnel.name === name)?.addresses ?? []
    return (
      urls('other').some((url) => url.includes('moves.example.org')) &&
      (await visit('moves.example.org')).status === 200
    )
  }, 'the other tunnel serves it')
  for (let count = 1; count < 8; count++)
    await acme.createDomain({ body: { name: `n${count}.example.org`, tunnel: 'other' } })
  await assert.rejects(
    acme.createDomain({ body: { name: 'one-more.example.org', tunnel: 'other' } }),
    refused('conflict', /8 domains lead to other/),
  )
  await assert.rejects(
    bobs.updateDomain({ params: { domain: made.id }, body: { tunnel: 'shop' } }),
    refused('not_found', /not found/),
  )
  for (const { id } of (await acme.domains()).domains) await acme.deleteDomain({ params: { domain: id } })
})

/** Looks at the DNS now, also where the panel is at it by itself in this moment. */
async function look(client: ReturnType<DomainsWorld['client']>, domain: string) {
  return eventually(async () => {
    clock.advance(6_000)
    return client.checkDomain({ params: { domain } }).catch((error: unknown) => {
      if (error instanceof ApiError && (error.code === 'conflict' || error.code === 'rate_limited')) return null
      throw error
    })
  }, 'the domain is looked at')
}

const ownershipOf = (records: readonly { purpose: string; value: string }[]): string[] =>
  records.filter(({ purpose }) => purpose === 'ownership').map(({ value }) => value)

/** Beside what is there. */
function addText(dns: DomainsWorld['dns'], records: readonly { purpose: string; name: string; value: string }[]): void {
  for (const { purpose, name, value } of records) if (purpose === 'ownership') dns.add('TXT', name, value)
}

function visit(host: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: world.edgePort, path: '/x', headers: { host }, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
