import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixOf, sourceOf } from './source.ts'

test('an IPv4 address is a source of its own, and its /24 the prefix', () => {
  assert.equal(sourceOf('203.0.113.7'), '203.0.113.7')
  assert.equal(prefixOf('203.0.113.7'), '203.0.113')
})

test('of IPv6 a /64 is one source and a /48 the prefix, however the address is written', () => {
  assert.equal(sourceOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::')
  assert.equal(sourceOf('2001:db8:1:2::6'), '2001:db8:1:2::')
  assert.equal(sourceOf('2001:db8::6'), '2001:db8:0:0::')
  assert.equal(prefixOf('2001:db8:1:2::6'), '2001:db8:1::')
  assert.equal(sourceOf('::1'), '0:0:0:0::')
  assert.equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0::')
  assert.equal(sourceOf('64:ff9b::192.0.2.1'), '64:ff9b:0:0::')
  assert.notEqual(sourceOf('2001:db8:1:2::6'), sourceOf('2001:db8:1:3::6'))
})
