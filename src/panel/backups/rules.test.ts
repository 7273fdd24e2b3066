import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restoreWords, roomFor, usedOf } from './rules.ts'

type Counted = Parameters<typeof roomFor>[0][number]
let made = 0
const backup = (more: Partial<Counted> = {}): Counted => {
  made += 1
  return { id: `b${made}`, state: 'ready', locked: 0, replaces: null, created_at: made, ...more }
}

test('has room below the limit, and failed backups take none', () => {
  assert.deepEqual(roomFor([backup(), backup({ state: 'failed' })], 2, false), { replaces: null })
})

test('refuses at the limit, naming it and the next move', () => {
  const full = roomFor([backup(), backup({ state: 'pending' })], 2, false)
  assert.ok('refused' in full)
  assert.match(full.refused, /may have 2 backups.*delete one, or switch rotation on/)
  assert.deepEqual(roomFor([], 0, true), {
    refused: 'This server may have no backups: ask the people who run this installation.',
  })
})

test('rotation lets the oldest unlocked one go, and never the same one twice', () => {
  const oldest = backup({ locked: 1 })
  const next = backup()
  const last = backup()
  assert.deepEqual(roomFor([last, oldest, next], 3, true), { replaces: next.id })
  const making = backup({ state: 'running', replaces: next.id })
  assert.equal(usedOf([oldest, next, last, making]), 3)
  assert.deepEqual(roomFor([oldest, next, last, making], 3, true), { replaces: last.id })
})

test('rotation refuses where everything is locked or being made', () => {
  const full = roomFor([backup({ locked: 1 }), backup({ state: 'running' })], 2, true)
  assert.ok('refused' in full)
  assert.match(full.refused, /locked or being made/)
})

test('a failed successor gives back the one it would have replaced', () => {
  const old = backup()
  const failed = backup({ state: 'failed', replaces: old.id })
  assert.equal(usedOf([old, failed]), 1)
  assert.deepEqual(roomFor([old, failed], 1, true), { replaces: old.id })
})

test('says what a restore will do', () => {
  const facts = {
    serverName: 'Lobby',
    backup: { name: 'Daily', createdAt: '2026-06-01T12:00:00.000Z', size: 1, files: 34, ignored: '*.log' },
    files: null,
    deleteOthers: false,
  }
  assert.match(restoreWords(facts), /^All 34 files of backup Daily of 2026.* into Lobby\. .*everything else stays/)
  assert.match(restoreWords({ ...facts, deleteOthers: true }), /deleted first, except what the backup left out/)
  assert.match(restoreWords({ ...facts, files: ['a', 'b'] }), /^2 paths of backup Daily .* are put back/)
})
