import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redaction } from './redaction.ts'

const usual = new Redaction({ redactHeaders: [], redactParameters: [] })

test('values of parameters that look like keys are hidden, whatever their case and hyphens; others stay', () => {
  for (const name of [
    'token',
    'ACCESS_TOKEN',
    'api-key',
    'X-Amz-Signature',
    'client%5Fsecret',
    'user[password]',
    'sig',
  ])
    assert.equal(usual.target(`/p?a=1&${name}=s3cret&b=2`), `/p?a=1&${name}=[redacted]&b=2`, name)
  for (const target of ['/', '/key=1', '/p?monkey=1', '/p?token=', '/p?=x', '/p?token', '*', '/p?%ff=1&a=%zz'])
    assert.equal(usual.target(target), target)
})

test('headers that prove who somebody is are hidden, and keys in those that hold addresses', () => {
  const fields =
    'Host: a.b\r\nAUTHORIZATION: Basic x\r\nCookie: a=1\r\nReferer: https://a.b/?token=t#part\r\nX-Own: 1\r\n'
  assert.deepEqual(
    new Redaction({ redactHeaders: ['x-OWN'], redactParameters: [] }).headers(fields).map(({ value }) => value),
    ['a.b', '[redacted]', '[redacted]', 'https://a.b/?token=[redacted]#part', '[redacted]'],
  )
  assert.deepEqual(usual.headers(fields).at(-1), { name: 'X-Own', value: '1', redacted: false })
})

test('what was hidden is put back where it is sent back untouched, in its order, and nowhere else', () => {
  const original = 'Cookie: a=1\r\nCookie: b=2\r\nAuthorization: Basic x\r\n'
  const hidden = '[redacted]'
  const restored = usual.restoredFields(
    [
      { name: 'cookie', value: hidden },
      { name: 'X-Else', value: hidden },
      { name: 'Cookie', value: hidden },
      { name: 'Cookie', value: hidden },
      { name: 'Authorization', value: 'Basic y' },
    ],
    original,
  )
  assert.equal(
    restored,
    'cookie: a=1\r\nX-Else: [redacted]\r\nCookie: b=2\r\nCookie: [redacted]\r\nAuthorization: Basic y\r\n',
  )
  const target = '/p?token=t&a=1'
  assert.equal(usual.restoredTarget(usual.target(target), target), target)
  assert.equal(usual.restoredTarget('/q?a=2&token=[redacted]', target), '/q?a=2&token=t')
  assert.equal(usual.restoredTarget('/q?key=[redacted]', target), '/q?key=[redacted]')
})
