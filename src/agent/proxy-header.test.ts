import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyHeader } from './proxy-header.ts'

const signature = '0d0a0d0a000d0a515549540a'
const visitor = {
  protocol: 'tcp',
  address: '203.0.113.7',
  port: 51_000,
  localAddress: '192.0.2.1',
  localPort: 30_000,
} as const
const six = { ...visitor, address: '2001:db8::7', localAddress: '2001:db8:0:1::1' }

test('version 1 is a line that names both ends', () => {
  assert.equal(proxyHeader('v1', visitor).toString(), 'PROXY TCP4 203.0.113.7 192.0.2.1 51000 30000\r\n')
  assert.equal(proxyHeader('v1', six).toString(), 'PROXY TCP6 2001:db8::7 2001:db8:0:1::1 51000 30000\r\n')
  assert.equal(proxyHeader('v1', { ...visitor, address: 'memory' }).toString(), 'PROXY UNKNOWN\r\n')
})

test('version 2 is binary', () => {
  assert.equal(
    proxyHeader('v2', visitor).toString('hex'),
    `${signature}2111000c${'cb007107'}${'c0000201'}${'c738'}${'7530'}`,
  )
  assert.equal(
    proxyHeader('v2', six).toString('hex'),
    `${signature}21210024${'20010db8000000000000000000000007'}${'20010db8000000010000000000000001'}c7387530`,
  )
  assert.equal(proxyHeader('v2', { ...visitor, localAddress: '' }).toString('hex'), `${signature}21000000`)
})

test('datagrams have version 2 whatever was asked for', () => {
  for (const version of ['v1', 'v2'] as const) {
    assert.equal(
      proxyHeader(version, { ...visitor, protocol: 'udp' })
        .toString('hex')
        .slice(24, 32),
      '2112000c',
    )
    assert.equal(
      proxyHeader(version, { ...six, protocol: 'udp' })
        .toString('hex')
        .slice(24, 32),
      '21220024',
    )
  }
})

test('ends of two families are told in the larger one', () => {
  const mixed = { ...visitor, localAddress: '2001:db8::1' }
  assert.equal(proxyHeader('v1', mixed).toString(), 'PROXY TCP6 ::ffff:203.0.113.7 2001:db8::1 51000 30000\r\n')
  const bytes = proxyHeader('v2', mixed).toString('hex')
  assert.ok(bytes.includes(`${'00'.repeat(10)}ffffcb007107`), bytes)
})

test('an address with a zone is told without it', () => {
  const local = { ...six, address: 'fe80::1%eth0' }
  assert.match(proxyHeader('v1', local).toString(), /^PROXY TCP6 fe80::1 2001/)
  assert.ok(
    proxyHeader('v2', local)
      .toString('hex')
      .includes(`fe80${'00'.repeat(13)}01`),
  )
})
