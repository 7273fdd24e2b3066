import assert from 'node:assert/strict'
import { test } from 'node:test'
import { styledText } from '../../web/console/styled-text.ts'

test('a line without colours is itself', () => {
  assert.equal(styledText('plain', undefined), 'plain')
})

test('colours stand where they begin, and end with the line', () => {
  const styles = [
    { from: 1, sgr: '32' },
    { from: 3, sgr: '0' },
  ]
  assert.equal(styledText('[ok] ready', styles), '[\u001b[32mok\u001b[0m] ready\u001b[0m')
})

test('places beyond the text or out of order lose and repeat nothing of it', () => {
  for (const froms of [[99], [5, 1], [2, 2, 0], []]) {
    const shown = styledText(
      'survival',
      froms.map((from) => ({ from, sgr: '31' })),
    )
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    assert.equal(shown.replaceAll(/\u001b\[[0-9]*m/g, ''), 'survival', froms.join())
  }
})
