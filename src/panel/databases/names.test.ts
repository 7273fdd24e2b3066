import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseName } from '../../contract/api/databases.ts'
import { AccountName, DatabaseKey, RemotePattern } from '../../contract/database-names.ts'
import { newId } from '../../lib/ids.ts'
import { newAccountName, realName, remoteNote } from './names.ts'

test('every name that people may choose becomes one that a database server takes', () => {
  for (const name of ['a', 'Shop', 'minecraft_db', 'example_database', '0-9', 'x'.repeat(48)]) {
    const real = realName('1a7ce997', DatabaseName.parse(name))
    assert.equal(DatabaseKey.parse(real), real)
    assert.ok(real.length <= 64)
  }
  assert.equal(realName('1a7ce997', 'Shop'), realName('1a7ce997', 'shop'))
  assert.ok(AccountName.parse(newAccountName('1a7ce997')).length <= 32)
})

test('refuses names that mean something to SQL, to a path, or to us', () => {
  for (const name of ['', '_a', '-a', 'a b', 'a`b', "a'b", 'a;b', 'a.b', 'a/b', 'a\0b', 'ä', 'a%', 'x'.repeat(49)])
    assert.equal(DatabaseName.safeParse(name).success, false, JSON.stringify(name))
  assert.equal(DatabaseName.safeParse(newId('db')).success, false)
})

test('takes host patterns, and nothing that could end the quotes around one', () => {
  const good = [
    '%',
    '127.0.0.1',
    '10.0.%',
    '10.0.0.0/255.255.0.0',
    'localhost',
    'example_remote',
    '%.example.org',
    '::1',
  ]
  for (const remote of [...good, 'fe80::%', 'Games.Example.Org', '_']) RemotePattern.parse(remote)
  assert.equal(RemotePattern.parse('Games.Example.Org'), 'games.example.org')
  const bad = ['', ' ', "%'", '%"', '%`', '%\\', '% ', '%@%', '%;', '%/24', '10.0.0.0/255.0.0.0/8', 'a/b', '-a', 'a\n']
  for (const remote of [...bad, '%'.repeat(61), 'ä.example.org']) {
    assert.equal(RemotePattern.safeParse(remote).success, false, JSON.stringify(remote))
  }
})

test('says so where a remote shuts out the only machine that reaches the database', () => {
  for (const remote of ['127.0.0.1', 'localhost', '%', '127.%', '127.0.0._', '127.0.0.0/255.0.0.0'])
    assert.equal(remoteNote('node', remote), null, remote)
  for (const remote of ['example_remote', '10.0.%', '127.0.0.2', '10.0.0.0/255.0.0.0', '::1'])
    assert.match(remoteNote('node', remote) ?? '', /no game can log in/, remote)
  assert.equal(remoteNote('host', 'example_remote'), null)
})
