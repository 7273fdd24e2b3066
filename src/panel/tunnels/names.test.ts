import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TunnelName } from '../../contract/fields.ts'
import { hostsOf, httpUrl, labelOf, tcpUrl } from './names.ts'

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

test('leaves the port out of a URL where it is the scheme’s own', () => {
  assert.equal(httpUrl({ scheme: 'https', httpPort: 443 }, 'a.b.c'), 'https://a.b.c')
  assert.equal(httpUrl({ scheme: 'http', httpPort: 443 }, 'a.b.c'), 'http://a.b.c:443')
  assert.equal(tcpUrl('2001:db8::1', 25_565), 'tcp://[2001:db8::1]:25565')
})

test('has a host below the slug, and one that a wildcard certificate of the base covers', () => {
  assert.deepEqual(hostsOf('a-b', 'acme', 'example.org'), ['a-b.acme.example.org', 'a-b-acme.example.org'])
})
