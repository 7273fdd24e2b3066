import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toldPlace, tunnelInHost } from './told-place.ts'

test('a place is read in whatever people paste', () => {
  assert.deepEqual(toldPlace('https://Web.Acme.Example.org/login?x=1#y'), { host: 'web.acme.example.org', port: null })
  assert.deepEqual(toldPlace('  web-acme.example.org.  '), { host: 'web-acme.example.org', port: null })
  assert.deepEqual(toldPlace('tcp://play.example.org:30001'), { host: 'play.example.org', port: 30_001 })
  assert.deepEqual(toldPlace('minecraft://survival.acme.example.org is bad'), {
    host: 'survival.acme.example.org',
    port: null,
  })
  assert.deepEqual(toldPlace('https://bank.example@evil.acme.example.org/'), {
    host: 'evil.acme.example.org',
    port: null,
  })
  for (const text of ['', '   ', 'http://', '://', 'http://[', 'a b'])
    assert.ok(['', 'a'].includes(toldPlace(text).host), text)
})

test('a host name below the base says whose it is, in both forms, and no other does', () => {
  assert.deepEqual(tunnelInHost('web.acme.example.org', 'example.org'), { name: 'web', slug: 'acme' })
  assert.deepEqual(tunnelInHost('my-web-acme.example.org', 'example.org'), { name: 'my-web', slug: 'acme' })
  for (const host of [
    'example.org',
    'acme.example.org',
    'web.acme.example.com',
    'a.b.c.example.org',
    'xexample.org',
    'web..example.org',
  ])
    assert.equal(tunnelInHost(host, 'example.org'), null, host)
})
