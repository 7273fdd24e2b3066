import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainAddress, prefixOf, sourceOf } from './address.ts'

test('an IPv4 address is a source of its own, whichever socket it came to, and its /24 the prefix', () => {
  assert.equal(sourceOf(plainAddress('::ffff:192.0.2.7')), '192.0.2.7')
  assert.equal(sourceOf('192.0.2.7'), '192.0.2.7')
  assert.equal(prefixOf('203.0.113.7'), '203.0.113')
  assert.equal(plainAddress(undefined), '0.0.0.0')
})

test('of IPv6 a /64 is one source and a /48 the prefix, however the address is written', () => {
  const same = ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002::', '2001:db8:1:2::9%eth0']
  assert.deepEqual([...new Set(same.map(sourceOf))], ['2001:db8:1:2::/64'])
  assert.deepEqual([...new Set(same.map(prefixOf))], ['2001:db8:1::/48'])
  assert.equal(sourceOf('2001:db8:1:3::1'), '2001:db8:1:3::/64')
  assert.equal(sourceOf('2001:db8::6'), '2001:db8:0:0::/64')
  assert.equal(sourceOf('::1'), '0:0:0:0::/64')
  assert.equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(sourceOf('64:ff9b::192.0.2.1'), '64:ff9b:0:0::/64')
})

test('what is no address is itself', () => {
  for (const text of ['', 'unknown', 'a:b', 'not::an::address']) assert.equal(sourceOf(text), text)
  assert.equal(prefixOf('unknown'), '')
})
