import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entrance, HostKind } from '../../contract/edge.ts'
import { TunnelName } from '../../contract/fields.ts'
import { type EdgeReach, entrancesOf, hostsOf, labelOf, urlOf } from './names.ts'

test('makes a DNS label of whatever people call a server', () => {
  for (const [name, number, label] of [
    ['My Lobby!', 1, 'my-lobby'],
    ['My Lobby!', 2, 'my-lobby-2'],
    ['--', 1, 'server'],
    ['Ünïcode', 1, 'n-code'],
    ['x'.repeat(80), 12, `${'x'.repeat(60)}-12`],
    [`${'x'.repeat(62)}-y`, 1, 'x'.repeat(62)],
  ] as const) {
    assert.equal(labelOf(name, number), label)
    assert.ok(TunnelName.safeParse(labelOf(name, number)).success, label)
  }
})

const reach: EdgeReach = {
  host: '2001:db8::1',
  base: 'example.org',
  scheme: 'https',
  httpPort: 443,
  linkPort: 443,
  minecraftPort: 25_565,
  udp: true,
  ports: { first: 30_000, last: 30_999 },
  region: 'default',
}

test('leaves the port out of a URL where it is the one that clients take anyway', () => {
  const named = (kind: HostKind): Entrance => ({ kind, hosts: ['a.b.c'] })
  const cases: [Entrance, Partial<EdgeReach>, string][] = [
    [named('http'), {}, 'https://a.b.c'],
    [named('http'), { scheme: 'http' }, 'http://a.b.c:443'],
    [named('tls'), {}, 'tls://a.b.c'],
    [named('tls'), { linkPort: 4680 }, 'tls://a.b.c:4680'],
    [named('minecraft'), {}, 'minecraft://a.b.c'],
    [named('minecraft'), { minecraftPort: 25_570 }, 'minecraft://a.b.c:25570'],
    [{ kind: 'udp', port: 30_000, ports: 10 }, { host: 'edge.org' }, 'udp://edge.org:30000-30009'],
    [{ kind: 'tcp', port: 25_565, ports: 1 }, {}, 'tcp://[2001:db8::1]:25565'],
  ]
  for (const [entrance, change, url] of cases) assert.equal(urlOf(entrance, { ...reach, ...change }), url)
})

test('a server’s port is open for TCP and UDP, and by host name only where game and edge can do that', () => {
  const row = {
    id: 'tun_1',
    workspace_id: 'ws_1',
    name: 'survival',
    kind: 'allocation',
    edge_port: 30_005,
    port_count: 1,
    entrance: 'minecraft',
    allocation_id: 'alloc_1',
    created_at: 0,
    deleted_at: null,
  } as const
  const urls = (change: Partial<typeof row | { entrance: null }>, at: Partial<EdgeReach> = {}): string[] =>
    entrancesOf({ ...row, ...change }, 'acme', { ...reach, ...at }).map((entrance) =>
      urlOf(entrance, { ...reach, host: 'edge.org', ...at }),
    )
  const raw = ['tcp://edge.org:30005', 'udp://edge.org:30005']
  assert.deepEqual(urls({}), ['minecraft://survival.acme.example.org', ...raw])
  assert.deepEqual(urls({ entrance: null }), raw)
  assert.deepEqual(urls({}, { minecraftPort: null }), raw)
  for (const base of ['localhost', 'games.localhost'])
    assert.deepEqual(
      urls({}, { base }),
      [...raw, `minecraft://survival.acme.${base}`],
      'a name that nobody else can look up',
    )
  assert.deepEqual(urls({}, { minecraftPort: null, udp: false }), raw.slice(0, 1))
})

test('has a host below the slug, and one that a wildcard certificate of the base covers', () => {
  assert.deepEqual(hostsOf('a-b', 'acme', 'example.org'), ['a-b.acme.example.org', 'a-b-acme.example.org'])
})
