import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainAddress, sourceOf } from './source.ts'

test('addresses of one IPv6 network count as one, those of others do not', () => {
  const same = ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002::', '2001:db8:1:2::9%eth0']
  assert.deepEqual([...new Set(same.map(sourceOf))], ['2001:db8:1:2::/64'])
  assert.equal(sourceOf('2001:db8:1:3::1'), '2001:db8:1:3::/64')
  assert.equal(sourceOf('::1'), '0:0:0:0::/64')
})

test('an IPv4 address is itself, whichever socket it came to', () => {
  assert.equal(sourceOf(plainAddress('::ffff:192.0.2.7')), '192.0.2.7')
  assert.equal(sourceOf('192.0.2.7'), '192.0.2.7')
})
