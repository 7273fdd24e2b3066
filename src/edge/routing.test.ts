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

const web = (...hosts: string[]) => ({ kind: 'http', hosts }) as const

test('a late clean-up leaves names and ports with their newer owner', () => {
  const routing = new Routing<string>()
  routing.bind(web('a.b', 'c.b'), 'old')
  routing.bind(web('a.b'), 'new')
  routing.bind({ kind: 'tcp', port: 10, ports: 3 }, 'old')
  routing.bind({ kind: 'tcp', port: 11, ports: 1 }, 'new')
  routing.unbind(web('a.b', 'c.b'), 'old')
  routing.unbind({ kind: 'tcp', port: 10, ports: 3 }, 'old')
  assert.equal(routing.host('http', 'a.b'), 'new')
  assert.equal(routing.host('http', 'c.b'), undefined)
  assert.deepEqual(
    [10, 11, 12].map((port) => routing.port('tcp', port)?.owner),
    [undefined, 'new', undefined],
  )
  assert.equal(routing.wasServed('http', 'a.b'), false)
})

test('a port of a range says which one it is, and each protocol has its own', () => {
  const routing = new Routing<string>()
  routing.bind({ kind: 'udp', port: 100, ports: 3 }, 'voice')
  assert.deepEqual(
    [99, 100, 102, 103].map((port) => routing.port('udp', port)?.offset),
    [undefined, 0, 2, undefined],
  )
  assert.equal(routing.port('tcp', 100), undefined)
  assert.deepEqual([...routing.ownersOf({ kind: 'udp', port: 102, ports: 5 })], ['voice'])
  assert.deepEqual([...routing.ownersOf({ kind: 'tcp', port: 102, ports: 5 })], [])
})

test('one name may lead elsewhere for each kind', () => {
  const routing = new Routing<string>()
  routing.bind({ kind: 'http', hosts: ['a.b'] }, 'site')
  routing.bind({ kind: 'minecraft', hosts: ['A.B.'] }, 'game')
  assert.deepEqual(
    (['http', 'minecraft', 'tls'] as const).map((kind) => routing.host(kind, 'a.b')),
    ['site', 'game', undefined],
  )
  routing.unbind({ kind: 'minecraft', hosts: ['a.b'] }, 'game')
  assert.deepEqual([routing.wasServed('minecraft', 'a.b'), routing.wasServed('http', 'a.b')], [true, false])
})

test('remembers which names went offline, and only so many', () => {
  const routing = new Routing<string>(2)
  for (const name of ['a.x', 'b.x', 'c.x']) {
    routing.bind(web(name), 'me')
    routing.unbind(web(name), 'me')
  }
  assert.deepEqual(
    ['a.x', 'b.x', 'c.x', 'd.x'].map((name) => routing.wasServed('http', name)),
    [false, true, true, false],
  )
  routing.bind(web('C.X'), 'me')
  assert.equal(routing.wasServed('http', 'c.x'), false)
})

test('a name of another tunnel is not found by a prefix, suffix or inherited property', () => {
  const routing = new Routing<string>()
  routing.bind(web('web.acme.localhost'), 'me')
  for (const name of ['acme.localhost', 'eb.acme.localhost', 'x.web.acme.localhost', '__proto__', 'constructor', ''])
    assert.equal(routing.host('http', name), undefined, name)
})
