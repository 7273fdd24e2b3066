import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { after, before, test } from 'node:test'
import { Secret } from '../../src/lib/secret.ts'
import { updateText } from '../../src/panel/domains/acme/dns-update.ts'
import { needsPebble, TestPebble } from '../pebble.ts'
import { type DomainsWorld, setRecords, startDomainsWorld } from '../world/domains-world.ts'
import { eventually } from '../world/panel.ts'
import { needsNamed, TestNamed } from '../world/test-named.ts'
import { shown, visit } from '../world/tls-visitor.ts'

/** Certificates of wildcards: by the DNS alone, through a zone of the operator in a real name server. */

const closer = new AsyncDisposableStack()
const missing: string[] = []
let named: TestNamed
let world: DomainsWorld

before(async () => {
  const skip = (why?: string): void => void missing.push(why ?? '')
  if (!needsPebble({ skip }) || !needsNamed({ skip })) return
  named = closer.use(await TestNamed.start())
  const { zone, keyName, key, port } = named
  const config = { zone, keyName, server: { host: '127.0.0.1', port }, waitMs: 0 }
  world = await startDomainsWorld(
    closer,
    async ({ edgePort, dns }) => {
      dns.delegate(zone, port)
      const pebble = closer.use(
        await TestPebble.start({ dns: dns.address, httpPort: edgePort, tlsPort: edgePort, noncesRefused: 20 }),
      )
      return { acme: { directory: pebble.directory, root: pebble.root, dns: config } }
    },
    { secrets: { acmeDnsKey: key } },
  )
})
after(() => closer.disposeAsync())

test('a wildcard gets its certificate by a record in the zone of the operator, serves every name below it, and leaves nothing there', async (t) => {
  if (missing.length > 0) return t.skip(missing[0])
  const { acme, edgePort } = world
  const made = await acme.createDomain({ body: { name: '*.example.org', tunnel: 'web' } })
  const alias = made.records.find(({ purpose }) => purpose === 'certificate')
  assert.equal(alias?.name, '_acme-challenge.example.org')
  await setRecords(world, made.id)
  const issued = await eventually(async () => {
    const domain = await acme.domain({ params: { domain: made.id } })
    return domain.certificate.state === 'issued' ? domain : null
  }, 'the certificate is issued')
  assert.equal(issued.url, null)
  assert.match((await shown(edgePort, 'any.example.org')).subjectAltName ?? '', /DNS:\*\.example\.org/)
  assert.equal(await visit(edgePort, 'any.example.org', '/x'), 'the service at any.example.org/x')
  const seen = new Resolver()
  seen.setServers([`127.0.0.1:${named.port}`])
  await eventually(async () => {
    const left = await seen.resolveTxt(alias?.value ?? '').catch(() => [])
    return left.length === 0
  }, 'the record is gone')
})

test('an update with a wrong key, or outside the zone, is refused in words that name the server', async (t) => {
  if (missing.length > 0) return t.skip(missing[0])
  const { zone, keyName, key, port } = named
  const { signal } = new AbortController()
  const now = Math.floor(Date.now() / 1000)
  const change = { do: 'add', name: `x.${zone}`, text: 'y' } as const
  const server = { host: '127.0.0.1', port }
  const wrong = new Secret(Buffer.alloc(32).toString('base64'))
  await assert.rejects(updateText({ zone, keyName, server, key: wrong }, change, now, signal), /NOTAUTH/)
  await assert.rejects(updateText({ zone, keyName, server, key }, change, now - 3600, signal), /NOTAUTH/)
  const outside = { ...change, name: 'x.example.net' }
  await assert.rejects(updateText({ zone, keyName, server, key }, outside, now, signal), /NOTZONE/)
  await updateText({ zone, keyName, server, key }, change, now, signal)
  await updateText({ zone, keyName, server, key }, { ...change, do: 'remove' }, now, signal)
  await updateText({ zone, keyName, server, key }, { ...change, do: 'remove' }, now, signal)
})
