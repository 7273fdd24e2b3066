import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Template, type VariableRule } from '../../contract/template.ts'
import { checkVariables } from './variables.ts'

const templateWith = (rule: VariableRule, value: string) =>
  Template.parse({
    id: 'one',
    name: 'One',
    summary: '',
    protocols: ['tcp'],
    resources: { memory: 64, disk: 64, cpu: 1 },
    variables: [{ name: 'V', label: 'V', default: value, rule }],
    start: { command: ['true'] },
    stop: { by: 'command', command: 'stop' },
  })

const text: VariableRule = { type: 'text', min: 2, max: 5 }
const pattern: VariableRule = { type: 'text', min: 0, max: 50, pattern: '[a-z]+|x1' }
const integer: VariableRule = { type: 'integer', min: -5, max: 10 }
const rules: [VariableRule, good: string[], bad: string[]][] = [
  [text, ['ab', 'abcde', '{{X}}', '$(x)'.slice(0, 4)], ['a', 'abcdef', 'a\nb', 'a\rb', 'a\0b', 'a\u001bb']],
  [pattern, ['abc', 'x1'], ['abc1', 'x1x1', 'abc\nx1', '']],
  [integer, ['-5', '0', '10'], ['-6', '11', '1.0', '1e1', ' 1', '0x1', '', 'NaN', '9'.repeat(40)]],
  [{ type: 'boolean' }, ['true', 'false'], ['TRUE', '1', 'yes', '']],
  [{ type: 'choice', of: ['easy', 'hard'] }, ['easy'], ['Easy', 'easy,hard', '', 'toString']],
]

describe('a variable', () => {
  for (const [rule, good, bad] of rules) {
    test(`of type ${rule.type} takes ${JSON.stringify(good)}`, () => {
      for (const value of good) {
        const { values, problems } = checkVariables(templateWith(rule, good[0] ?? ''), { V: value })
        assert.deepEqual([values, problems], [{ V: value }, []])
      }
    })
    test(`of type ${rule.type} refuses what does not fit, and says what would`, () => {
      for (const value of bad) {
        const { problems } = checkVariables(templateWith(rule, good[0] ?? ''), { V: value })
        assert.equal(problems.length, 1, JSON.stringify(value))
        assert.equal(problems[0]?.where, 'body.variables.V')
        assert.ok(problems[0]?.expected)
      }
    })
  }
  test('that is not given gets its default', () => {
    assert.deepEqual(checkVariables(templateWith(text, 'abc'), {}).values, { V: 'abc' })
  })
  test('that the template does not know is refused, also one that every object has', () => {
    const given = Object.fromEntries([
      ['NOPE', '1'],
      ['constructor', '1'],
      ['SERVER_PORT', '22'],
    ])
    const { values, problems } = checkVariables(templateWith(text, 'abc'), given)
    assert.deepEqual(
      problems.map(({ where }) => where),
      ['body.variables.NOPE', 'body.variables.constructor', 'body.variables.SERVER_PORT'],
    )
    assert.match(problems[2]?.problem ?? '', /set by the node/)
    assert.deepEqual(values, { V: 'abc' })
  })
})
