import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalHost, Routing } from './routing.ts'

test('finds a name whatever its case, port or trailing dot', () => {
  for (const text of [
    'web.acme.localhost',
    'WEB.Acme.LocalHost',
    'web.acme.localhost.',
    'web.acme.localhost:4680',
    'Web.acme.localhost.:80',
  ])
    assert.equal(normalHost(text), 'web.acme.localhost', text)
  assert.equal(normalHost('[::1]:80'), '[::1]')
  assert.equal(normalHost('[::1]'), '[::1]')
})

test('a late clean-up leaves the name with its newer owner', () => {
  const routing = new Routing<string>()
  routing.bindHost('a.b', 'old')
  routing.bindHost('a.b', 'new')
  routing.bindPort(1, 'old')
  routing.bindPort(1, 'new')
  routing.unbindHost('a.b', 'old')
  routing.unbindPort(1, 'old')
  assert.equal(routing.host('a.b'), 'new')
  assert.equal(routing.port(1), 'new')
  assert.equal(routing.wasServed('a.b'), false)
})

test('remembers which names went offline, and only so many', () => {
  const routing = new Routing<string>(2)
  for (const name of ['a.x', 'b.x', 'c.x']) {
    routing.bindHost(name, 'me')
    routing.unbindHost(name, 'me')
  }
  assert.deepEqual(
    ['a.x', 'b.x', 'c.x', 'd.x'].map((name) => routing.wasServed(name)),
    [false, true, true, false],
  )
  routing.bindHost('C.X', 'me')
  assert.equal(routing.wasServed('c.x'), false)
})

test('a name of another tunnel is not found by a prefix, suffix or inherited property', () => {
  const routing = new Routing<string>()
  routing.bindHost('web.acme.localhost', 'me')
  for (const name of ['acme.localhost', 'eb.acme.localhost', 'x.web.acme.localhost', '__proto__', 'constructor', ''])
    assert.equal(routing.host(name), undefined, name)
})
