import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeFields, cookieOf, soleValueOf, valuesOf, withoutCookies } from './fields.ts'
import { ipGate } from './networks.ts'
import { Rates } from './rates.ts'
import { Seal } from './sealed.ts'

const fields = 'Host: a\r\nCookie: x=1; pharos-session=s; y=2\r\nX_Old: 1\r\nX-Old: 2\r\nAccept: */*\r\n'

test('fields are found whatever their case, and not where they come twice', () => {
  assert.equal(soleValueOf(fields, 'host'), 'a')
  assert.equal(soleValueOf(`${fields}HOST: b\r\n`, 'host'), undefined)
  assert.deepEqual(valuesOf(fields, 'none'), [])
  assert.equal(cookieOf(fields, 'pharos-session'), 's')
  assert.equal(cookieOf(fields, 'session'), undefined)
  assert.equal(cookieOf(`${fields}Cookie: pharos-session=t\r\n`, 'pharos-session'), undefined)
})

test('a rule takes a field away in both spellings, and sets it once', () => {
  const changed = changeFields(fields, { remove: ['x-old'], set: { Accept: 'text/html' }, add: { 'X-New': '1' } })
  assert.equal(changed, 'Host: a\r\nCookie: x=1; pharos-session=s; y=2\r\nAccept: text/html\r\nX-New: 1\r\n')
})

test('the service gets all cookies but those of the edge', () => {
  const own = (name: string): boolean => name === 'pharos-session'
  assert.match(withoutCookies(fields, own), /^Cookie: x=1; y=2\r$/m)
  assert.doesNotMatch(withoutCookies('Cookie: pharos-session=s\r\nA: b\r\n', own), /cookie/i)
})

test('networks of both families, and what is no address', () => {
  const gate = ipGate({ allow: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'], deny: ['10.1.0.0/16', '2001:db8:1::/48'] })
  for (const address of ['10.0.0.1', '192.0.2.1', '2001:db8::1', '2001:DB8:0:0::1%eth0'])
    assert.equal(gate(address), true, address)
  for (const address of ['10.1.2.3', '192.0.2.2', '2001:db8:1::1', '::1', '', 'nonsense', '10.0.0'])
    assert.equal(gate(address), false, address)
  const denying = ipGate({ allow: [], deny: ['0.0.0.0/0'] })
  assert.equal(denying('8.8.8.8'), false)
  assert.equal(denying('2001:db8::1'), true)
})

test('a rate lets a burst through and then so many a second, with bounded memory', () => {
  const rates = new Rates(3)
  const rate = { perSecond: 2, burst: 2 }
  assert.deepEqual([rates.take('a', rate, 0), rates.take('a', rate, 0), rates.take('a', rate, 0)], [0, 0, 1])
  assert.equal(rates.take('a', rate, 499), 1)
  assert.equal(rates.take('a', rate, 500), 0)
  assert.equal(rates.take('a', { perSecond: 1 / 60, burst: 1 }, 500), 60)
  for (let key = 0; key < 1_000; key++) rates.take(`key ${key}`, rate, 600)
  assert.equal(rates.size, 3)
})

test('what is sealed opens with its key, for its use and its place, and unchanged alone', () => {
  const key = Buffer.alloc(32, 7).toString('base64url')
  const seal = new Seal(key, 'session')
  const text = seal.close({ a: 1 }, 'tun_1 web.acme.localhost')
  assert.deepEqual(seal.open(text, 'tun_1 web.acme.localhost'), { a: 1 })
  assert.doesNotMatch(Buffer.from(text, 'base64url').toString('latin1'), /"a"/)
  assert.equal(seal.open(text, 'tun_1 other.acme.localhost'), undefined)
  assert.equal(new Seal(key, 'sign-in').open(text, 'tun_1 web.acme.localhost'), undefined)
  assert.equal(
    new Seal(Buffer.alloc(32, 8).toString('base64url'), 'session').open(text, 'tun_1 web.acme.localhost'),
    undefined,
  )
  for (const broken of ['', 'x', text.slice(1), `${text.slice(0, -3)}AAA`, 'A'.repeat(10_000)])
    assert.equal(seal.open(broken, 'tun_1 web.acme.localhost'), undefined)
})
