import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printableLine, printableText } from './printable.ts'

const taken: readonly [what: string, line: string, left: string][] = [
  ['colours', '\u001b[31mred\u001b[0m, \u001b[38;5;208mor\u001b[mange', 'red, orange'],
  ['the one-character form', '\u009b31mred\u009b0m', 'red'],
  ['movements and erasing', '\u001b[2J\u001b[1;1H\u001b[?25lhere', 'here'],
  ['titles', '\u001b]0;owned\u0007then, \u001b]2;owned\u001b\\and\u009d0;owned\u009c', 'then, and'],
  ['links', '\u001b]8;;https://evil.test\u001b\\click\u001b]8;;\u001b\\', 'click'],
  ['strings for devices', '\u001bPq#0;2\u001b\\a\u001b_G\u001b\\b', 'ab'],
  ['resets and character sets', '\u001bc\u001b(Bplain\u001b7', 'plain'],
  ['a sequence in another one', '\u001b]0;title\u001b[31m\u0007after', 'after'],
  ['a sequence that was cut off', 'cut\u001b[38;5', 'cut'],
  ['single control characters', 'a\u0000b\u0007c\r\nd\u007fe\u0085f', 'abcdef'],
  ['what turns text around', '\u202eevil\u2066', 'evil'],
]
for (const [what, line, left] of taken)
  test(`takes out ${what} and leaves nothing of them`, () => assert.equal(printableLine(line), left))

test('leaves what only looks like a sequence, and tabs', () => {
  for (const line of ['[31m', '[INFO]\tready', 'a[0]; b = m', 'größer 😀 → ok']) assert.equal(printableLine(line), line)
})

test('shows the words of a title that nothing ends', () => {
  assert.equal(printableLine('\u001b]the server has no memory left'), 'the server has no memory left')
})

test('says where something was taken out when it is told to, and keeps line ends', () => {
  assert.equal(printableText('\u001b[31mred\u001b[0m\nnext\u0007', '\ufffd'), '\ufffdred\ufffd\nnext\ufffd')
})

test('whatever a line holds, nothing is left that a terminal would act on', () => {
  const piece = fc.constantFrom(...'\u001b[]\\;0mP_\u0007\u009b\u009c\u009d\u0090 ü?')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
      assert.doesNotMatch(printableLine(pieces.join('')), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/)
    }),
  )
})

test('takes no longer than a line is long, whatever begins in it and does not end', () => {
  for (const piece of ['\u001b]', '\u009d', '\u001b[', '\u001b[0', '\u001b]0;x', '\u0090 ', '\u001b '])
    assert.ok(printableLine(piece.repeat(1_000_000 / piece.length)).length <= 1_000_000)
})
