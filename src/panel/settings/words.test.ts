import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitWords } from './words.ts'

const able = { memoryLimit: true, cpuLimit: true }
const facts = { changed: { cpu: 2 }, status: 'running', node: 'one', reached: true, capabilities: able } as const

test('what the kernel holds a running server to changes at once', () => {
  assert.equal(limitWords(facts), 'Limits updated; they hold now')
})
test('a server reads its own memory when it starts, which is said', () => {
  assert.match(limitWords({ ...facts, changed: { memory: 512 } }), /hold now, and the server itself .* next start/)
})
test('a stopped server gets them when it starts', () => {
  assert.match(limitWords({ ...facts, status: 'offline' }), /from the next start/)
})
test('a node that is away learns them later', () => {
  assert.match(limitWords({ ...facts, reached: false }), /node one is away and takes them when it is back/)
})
test('a machine that cannot enforce a limit is named, whatever the server does', () => {
  const weak = { memoryLimit: false, cpuLimit: true }
  assert.match(limitWords({ ...facts, changed: { memory: 1, cpu: 1 }, capabilities: weak }), /cannot limit memory$/)
  assert.match(limitWords({ ...facts, capabilities: { ...able, cpuLimit: false } }), /cannot limit CPU$/)
})
test('numbers that the panel itself counts hold wherever the node is', () => {
  assert.equal(limitWords({ ...facts, changed: {}, reached: false }), 'Limits updated; they hold now')
})
