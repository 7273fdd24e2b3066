import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStat } from './proc.ts'
import { parseStatus } from './status-file.ts'

const tail = 'R 1 42 42 0 -1 0 0 0 0 0 7 5 0 0 20 0 1 0 123456 0 0'

test('reads who the launcher is, also when a process has chosen a hostile name', () => {
  assert.deepEqual(parseStat(`42 (sh) ${tail}`), {
    pid: 42,
    state: 'R',
    parent: 1,
    session: 42,
    startTicks: 123456,
    cpuTicks: 12,
  })
  assert.equal(parseStat(`42 (x) R 9 9) ${tail}`)?.parent, 1)
  assert.equal(parseStat('nonsense'), null)
  assert.equal(parseStat(''), null)
})

test('passes over lines that are cut off, unknown or of the wrong kind', () => {
  const status = parseStatus(
    [
      '{"boot":"b"}',
      JSON.stringify({ launcher: `42 (sh) ${tail}` }),
      '{ "child-pid": 43, "mnt-namespace": 4026532179 }',
      '{"child-start":7}',
      '{"exit-code":"0"}',
      '[1,2]',
      'garbage',
      '{"exit-co',
    ].join('\n'),
  )
  assert.deepEqual(status, {
    boot: 'b',
    launcher: parseStat(`42 (sh) ${tail}`),
    child: { pid: 43, startTicks: 7 },
    exitCode: null,
  })
  assert.equal(parseStatus('').launcher, null)
})
