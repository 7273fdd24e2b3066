import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePattern } from './pattern.ts'

test('finds, matches the whole, and replaces with groups', () => {
  const pattern = compilePattern('^(127\\.0\\.0\\.1|localhost)(:\\d{1,5})?$')
  assert.equal(pattern.find('localhost:25'), true)
  assert.equal(pattern.matches('localhost:25x'), false)
  assert.equal(pattern.replace('localhost:25', '10.0.0.1$2'), '10.0.0.1:25')
  assert.equal(pattern.replace('localhost', '10.0.0.1$2'), '10.0.0.1')
})

test('refuses what it cannot promise to run in linear time, and what is no pattern', () => {
  for (const source of ['(?=a)b', '(a)\\1', '(', 'a{1001}', '((a{30}){30}){5}', 'x'.repeat(501)])
    assert.throws(() => compilePattern(source), Error, source)
})

test('a pattern that takes others for ever is done with a long text', () => {
  const text = `${'a'.repeat(20_000)}!`
  for (const source of ['^(a+)+$', '^(a|aa)+$', '^(.*)*$x', '(x+x+)+y'])
    assert.equal(compilePattern(source).matches(text), false)
})
