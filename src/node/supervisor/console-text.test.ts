import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineStyles, stylesPerLineMax } from '../../contract/console.ts'
import { plainText, textAndStyles } from './console-text.ts'

const read = (line: string) => textAndStyles(Buffer.from(line))

test('colours become places in a text that has no escape sequence', () => {
  assert.deepEqual(read('[\u001b[32mINFO\u001b[0m] \u001b[1;38;5;208mready'), {
    text: '[INFO] ready',
    styles: [
      { from: 1, sgr: '32' },
      { from: 5, sgr: '0' },
      { from: 7, sgr: '1;38;5;208' },
    ],
  })
})

test('a line that shows no colour has no styles', () => {
  for (const line of ['plain', '\u001b[0mreset\u001b[m', 'end\u001b[31m', '\u001b[2J\u001b[Hmoved', '\u001b[31m'])
    assert.equal(read(line).styles, undefined, JSON.stringify(line))
})

test('of a line that was drawn over itself the last version keeps its colours', () => {
  assert.deepEqual(read('\u001b[31m10%\r\u001b[32m99%\r'), { text: '99%', styles: [{ from: 0, sgr: '32' }] })
})

test('refuses colours that hide in other sequences, that are too long, or that are too many', () => {
  assert.deepEqual(read('\u001b]0;title\u001b[31m\u0007after'), { text: 'after' })
  assert.equal(read(`\u001b[${'1;'.repeat(30)}1mlong`).styles, undefined)
  assert.equal(read('\u001b[31mx'.repeat(500)).styles?.length, stylesPerLineMax)
})

test('whatever a game prints, the text is the plain one and the styles are what the contract takes', () => {
  const piece = fc.constantFrom(
    '\u001b',
    '[',
    ']',
    '0',
    ';',
    '31',
    'm',
    '\r',
    '\u0007',
    'word',
    'ü',
    '😀',
    '\u009b',
    '\\',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const line = Buffer.from(pieces.join(''))
      const { text, styles } = textAndStyles(line)
      assert.equal(text, plainText(line))
      LineStyles.parse(styles)
      for (const { from } of styles ?? []) assert.ok(from <= text.length)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
      assert.doesNotMatch(text, /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
    }),
  )
})
