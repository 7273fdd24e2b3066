import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domainName, overlap, reservedBy, shownName } from './name.ts'

const nameOf = (written: string): string => {
  const parsed = domainName(written)
  assert.ok(parsed.ok, written)
  return parsed.name
}

test('one name has one form, however it is written', () => {
  for (const written of ['App.Example.org', 'app.example.org.', ' APP.EXAMPLE.ORG ', 'app。example．org'])
    assert.equal(nameOf(written), 'app.example.org')
  assert.equal(nameOf('*.Bücher.example'), '*.xn--bcher-kva.example')
  assert.equal(shownName('*.xn--bcher-kva.example'), '*.bücher.example')
  assert.equal(nameOf('faß.example.org'), nameOf('xn--fa-hia.example.org'))
})

test('refuses what is no name of somebody’s own', () => {
  const wrong = [
    '',
    '.',
    '*',
    '*.',
    'org',
    '*.org.*',
    '**.example.org',
    '1.2.3.4',
    '0x7f.1',
    '::1',
    'a b.example.org',
    'a/b.example.org',
  ]
  for (const written of [...wrong, 'a.localhost', 'printer.local', '1.0.0.127.in-addr.arpa', 'example.1'])
    assert.equal(domainName(written).ok, false, written)
})

test('names overlap where one visitor could be meant by both', () => {
  const pairs: [string, string, boolean][] = [
    ['app.example.org', 'app.example.org', true],
    ['*.example.org', 'app.example.org', true],
    ['app.example.org', '*.example.org', true],
    ['*.example.org', 'example.org', false],
    ['*.example.org', 'a.b.example.org', false],
    ['*.example.org', '*.app.example.org', false],
    ['*.example.org', 'app.example.org.evil.net', false],
    ['*.example.org', 'appexample.org', false],
  ]
  for (const [left, right, meant] of pairs) assert.equal(overlap(left, right), meant, `${left} ${right}`)
})

test('the installation’s own names, those below them and wildcards over them are nobody’s', () => {
  const own = ['tunnels.example.com', 'panel.example.net']
  for (const name of [
    'tunnels.example.com',
    'a.tunnels.example.com',
    '*.tunnels.example.com',
    '*.a.tunnels.example.com',
    '*.example.com',
    'x.panel.example.net',
  ])
    assert.notEqual(reservedBy(name, own), null, name)
  for (const name of [
    'example.com',
    'app.example.com',
    'nottunnels.example.com',
    '*.com',
    'tunnels.example.com.evil.org',
  ])
    assert.equal(reservedBy(name, own), null, name)
})
