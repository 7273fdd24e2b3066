import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { shellLine } from './shell-line.ts'

/** The arguments that a line gives its program. */
function argumentsOf(line: string, values: Record<string, string>): string[] {
  const text = shellLine(`printf '%s\\n' ${line}`)
  return execFileSync('/bin/bash', ['-c', text], { env: values, encoding: 'utf8' }).split('\n').slice(0, -1)
}

test('quotes that were escaped for a second reading are quotes', () => {
  assert.deepEqual(argumentsOf('+name \\"{{NAME}}\\" "{{NAME}}" -x', { NAME: 'Two words' }), [
    '+name',
    'Two words',
    'Two words',
    '-x',
  ])
})

test('inside of quotes, and in single ones, everything stays as it is written', () => {
  assert.deepEqual(argumentsOf(`"a \\"b\\" c" 'd \\"e' \\\\ f\\ g`, {}), ['a "b" c', 'd \\"e', '\\', 'f g'])
})

test('a value is never read as a part of the line', () => {
  const values = { NAME: '"; touch /tmp/hacked; $(id) `id` \\" {{OTHER}}', OTHER: 'x' }
  assert.deepEqual(argumentsOf('\\"{{NAME}}\\" {{nothing.of.ours}}', values), [values.NAME, '{{nothing.of.ours}}'])
})
