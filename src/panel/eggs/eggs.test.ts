import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AppError } from '../../contract/errors.ts'
import { Template, type VariableRule } from '../../contract/template.ts'
import { checkVariables } from '../templates/index.ts'
import { exportEgg, importEgg } from './index.ts'
import { ruleOf } from './rules.ts'

const folder = join(import.meta.dirname, '../../../test/eggs')
const eggOf = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')

/** The smallest egg, with parts replaced. */
const smallest = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  meta: { version: 'PTDL_v2' },
  name: 'Small',
  startup: './run',
  config: { files: '{}', startup: '{"done":"up"}', stop: 'stop' },
  variables: [],
  ...more,
})
const variable = (rules: unknown, more: object = {}): object => ({
  name: 'V',
  env_variable: 'V',
  default_value: '',
  rules,
  ...more,
})
const told = (source: unknown): string[] =>
  importEgg(source).notes.map(({ kind, where, message }) => `${kind} ${where}: ${message}`)

describe('import', () => {
  test('every egg of the tests becomes a template that is valid, and exports to one that imports the same way', async () => {
    const names = (await readdir(folder)).filter((name) => /\.(json|yaml)$/.test(name))
    assert.ok(names.length >= 10)
    for (const name of names) {
      const { template } = importEgg(await eggOf(name))
      assert.deepEqual(Template.parse(JSON.parse(JSON.stringify(template))), template, name)
      const again = importEgg(JSON.stringify(exportEgg(template))).template
      assert.deepEqual(
        [again.patches, again.install, again.stop, again.images, again.start.ready, again.start.lines?.[0]],
        [
          template.patches,
          template.install,
          template.stop,
          template.images,
          template.start.ready,
          template.start.lines?.[0],
        ],
        name,
      )
    }
  })

  test('PTDL_v2: variables with their rules and who may change them, images, files, script', async () => {
    const { template, notes } = importEgg(await eggOf('paper.json'))
    assert.equal(template.id, 'paper-java')
    assert.deepEqual(
      template.variables.map(({ name, rule, access }) => [name, rule, access]),
      [
        ['MINECRAFT_VERSION', { type: 'text', min: 0, max: 20, optional: true }, undefined],
        ['SERVER_JARFILE', { type: 'text', min: 1, max: 4096, pattern: '([\\w\\d._-]+)(\\.jar)' }, undefined],
        ['DL_PATH', { type: 'text', min: 0, max: 4096, optional: true }, 'hidden'],
        ['BUILD_NUMBER', { type: 'text', min: 1, max: 20 }, undefined],
        ['DOCKER_IMAGE', { type: 'choice', of: ['Java 21', 'Java 17'] }, undefined],
      ],
    )
    assert.deepEqual(template.images?.[0], { name: 'Java 21', image: 'ghcr.io/example/yolks:java_21' })
    assert.deepEqual(template.patches?.[0]?.set[1], { at: 'server-port', to: '{{SERVER_PORT}}' })
    assert.equal(template.install.script?.entrypoint, 'ash')
    assert.doesNotMatch(template.install.script?.text ?? '', /\r/)
    assert.deepEqual(template.stop, { by: 'command', command: 'stop' })
    assert.ok(notes.some(({ kind, where }) => kind === 'kept' && where === 'features.eula'))
  })

  test('PTDL_v1: a list of images, several lines that say it is up, ^C', async () => {
    const vanilla = importEgg(await eggOf('vanilla-v1.json')).template
    assert.equal(vanilla.images?.length, 2)
    assert.deepEqual(vanilla.start.ready, ['Done (', ')! For help, type '])
    assert.deepEqual(importEgg(await eggOf('teamspeak.json')).template.stop, { by: 'signal', signal: 'SIGINT' })
  })

  test('PLCN_v3 in YAML: several start lines, rules as a list, values that are swapped', async () => {
    const { template } = importEgg(await eggOf('bungeecord.yaml'))
    assert.deepEqual(
      template.start.lines?.map(({ name }) => name),
      ['Default', 'Small'],
    )
    const [jar, online, image, line] = template.variables
    assert.deepEqual(
      [jar?.rule.type, online?.default, online?.rule],
      ['text', 'true', { type: 'choice', of: ['true', 'false'] }],
    )
    assert.deepEqual([image?.name, line?.name], ['DOCKER_IMAGE', 'STARTUP_COMMAND'])
    assert.deepEqual(template.patches?.[0]?.set[2], {
      at: 'servers.*.address',
      swap: [{ pattern: '^(127\\.0\\.0\\.1|localhost)(:\\d{1,5})?$', to: '{{HOST_ADDRESS}}$2' }],
    })
  })

  test('what has no effect here is said, part by part', async () => {
    const notes = told(await eggOf('xml-and-lines.json')).join('\n')
    for (const expected of [
      /dropped variables\.NAME: rule not_in:x/,
      /dropped variables\.LOOK: rule regex:.*unsupported Perl syntax/,
      /dropped variables\.HOME: the node sets/,
      /dropped config\.files\.server\.cfg\.rcon: \{\{config\.token\}\} means nothing here/,
      /dropped config\.files\.\.\.\/outside\.cfg: .*no path/,
      /dropped config\.files\.x\.toml: there is no parser called toml/,
      /dropped config\.startup\.done: regex:\(\?=lookahead\)/,
      /changed config\.stop: \^\^C/,
    ])
      assert.match(notes, expected)
    assert.match(told(smallest({ surprise: 1 })).join('\n'), /dropped surprise: nothing is known of it/)
  })

  test('no placeholder reaches what is not on the list', () => {
    const find = {
      a: '{{config.token}}',
      b: '{{server.build.env.SECRET}}',
      c: '{{ env.V }}',
      d: '{{server.build.default.port}}',
      e: '{{constructor}}',
    }
    const { template } = importEgg(
      smallest({
        config: { files: { f: { parser: 'json', find } }, startup: {}, stop: '' },
        variables: [variable('string')],
      }),
    )
    assert.deepEqual(
      template.patches?.[0]?.set.map((entry) => ('to' in entry ? entry.to : null)),
      ['{{config.token}}', '{{server.build.env.SECRET}}', '{{V}}', '{{SERVER_PORT}}', '{{constructor}}'],
    )
  })
})

describe('refuses', () => {
  const cases: [string, unknown, RegExp][] = [
    ['what is neither JSON nor YAML', '{"a":', /neither JSON nor YAML/],
    ['YAML that multiplies itself', `a: &a [1,1]\nb: &b [${'*a,'.repeat(30)}]\nc: [${'*b,'.repeat(30)}]`, /alias/i],
    ['text without end', ' '.repeat(3 * 1024 * 1024), /longer than/],
    ['YAML without end', 'a: b\n'.repeat(100_000), /characters of YAML; export it as JSON/],
    ['YAML that is nested without end', '['.repeat(100_000), /nested too deeply/],
    ['lists that are nested without end', '- '.repeat(50_000), /nested too deeply/],
    ['a text that is no egg', 'hello', /egg/],
    ['an empty object', {}, /no egg of a version that is known/],
    ['a version of the future', smallest({ meta: { version: 'PTDL_v9' } }), /PTDL_v1, PTDL_v2/],
    ['no name', smallest({ name: undefined }), /egg\.name/],
    ['no line that starts it', smallest({ startup: '' }), /no line that starts/],
    ['files that are not JSON', smallest({ config: { files: '{', startup: '{}' } }), /egg\.config\.files.*not JSON/],
    ['files that are no map', smallest({ config: { files: '[1]', startup: '{}' } }), /egg\.config\.files/],
    ['variables that are none', smallest({ variables: [1] }), /egg\.variables\.0/],
    [
      'more variables than anybody fills in',
      smallest({
        variables: Array.from({ length: 201 }, (_, index) => variable('string', { env_variable: `V${index}` })),
      }),
      /egg\.variables/,
    ],
    ['an id that is none', null, /id/],
  ]
  for (const [what, source, why] of cases)
    test(what, () => {
      const run = (): unknown => (source === null ? importEgg(smallest(), 'No Id') : importEgg(source))
      assert.throws(
        run,
        (error: unknown) => error instanceof AppError && error.code === 'invalid_request' && why.test(error.message),
      )
    })
})

describe("Laravel's rules", () => {
  const quiet = { changed: () => undefined, dropped: () => undefined }
  const fits = (rule: VariableRule, value: string): boolean => {
    const { template } = importEgg(smallest({ variables: [variable('string')] }))
    const [first] = template.variables
    if (!first) throw new Error('no variable')
    return checkVariables({ ...template, variables: [{ ...first, rule }] }, { V: value }).problems.length === 0
  }
  const cases: [rules: string, good: string[], bad: string[]][] = [
    ['required|string|max:3', ['a', 'abc'], ['', 'abcd']],
    ['nullable|string|min:2', ['', 'ab'], ['a']],
    ['string|between:2,3', ['ab', 'abc', ''], ['a', 'abcd']],
    ['required|integer|between:1,10', ['1', '10'], ['0', '11', '1.5', 'x', '']],
    ['required|numeric|min:0.5', ['0.5', '2'], ['0.4', 'x', '']],
    ['required|integer|gt:0', ['1'], ['0']],
    ['required|numeric|digits_between:1,3', ['0', '999'], ['1000', '-1']],
    ['required|string|digits:3', ['012'], ['12', '1234']],
    ['required|boolean', ['1', '0'], ['true', '2', '']],
    ['required|in:a,b c', ['a', 'b c'], ['c', '']],
    ['nullable|in:a', ['a', ''], ['b']],
    ['required|alpha_dash', ['ab_c-1', 'é'], ['a b', 'a.b']],
    ['required|alpha_num', ['a1'], ['a-1']],
    ['nullable|url', ['https://example.com/a b'.replace(' ', '_'), ''], ['example', 'https://a b']],
    ['required|string|size:3', ['abc'], ['ab', 'abcd']],
    ['required|regex:/^([\\w\\d._-]+)(\\.jar)$/', ['a.jar'], ['a.zip', 'x a.jar']],
    ['required|regex:/^a|b$/', ['ax', 'xb'], ['xax']],
    ['required|regex:/^(a|b)$/i', ['A', 'b'], ['ab', 'c']],
    ['regex:([a-z]+$)', ['1a'], ['a1']],
    ['required|string|starts_with:+x,y', ['+xa', 'y'], ['xa']],
    ['required|regex:/^a\\/b$/', ['a/b'], ['ab']],
  ]
  for (const [rules, good, bad] of cases)
    test(`${rules} takes ${good.join(' ')} and refuses ${bad.join(' ')}`, () => {
      const { template } = importEgg(smallest({ variables: [variable(rules)] }))
      const rule = template.variables[0]?.rule as VariableRule
      for (const value of good) assert.ok(fits(rule, value), `${value} by ${JSON.stringify(rule)}`)
      for (const value of bad) assert.ok(!fits(rule, value), `${value} by ${JSON.stringify(rule)}`)
    })

  test('an unknown rule is told, and the others hold', () => {
    const dropped: string[] = []
    const rule = ruleOf(['required', 'mystery:1', 'max:x', 'max:5'], '', {
      ...quiet,
      dropped: (message) => dropped.push(message),
    })
    assert.deepEqual(rule, { type: 'text', min: 1, max: 5 })
    assert.equal(dropped.length, 2)
  })

  test('a pattern that would take for ever is done at once', () => {
    const { template } = importEgg(smallest({ variables: [variable('required|regex:/^(a+)+$/')] }))
    assert.ok(!fits(template.variables[0]?.rule as VariableRule, `${'a'.repeat(4000)}!`))
  })
})

describe('hostile eggs', () => {
  const isKnown = (error: unknown): boolean => error instanceof AppError && error.code === 'invalid_request'

  test('any text is a template or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 500 }), fc.json()), (text) => {
        try {
          importEgg(text)
        } catch (error) {
          assert.ok(isKnown(error), String(error))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('an egg whose parts are anything is a valid template or refused', async () => {
    const whole = JSON.parse(await eggOf('paper.json')) as Record<string, unknown>
    const key = fc.constantFrom(...Object.keys(whole), 'startup_commands', 'uuid', 'image', '__proto__')
    const inner = fc.constantFrom('files', 'startup', 'logs', 'stop', 'installation')
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '{{config.token}}',
        '\u001b]0;x\u0007',
        '../..',
        '__proto__',
        'regex:(a+)+$',
        '$(id)',
        'constructor',
        '{{constructor}}',
      ),
    )
    const value = fc.oneof(
      fc.anything({ withNullPrototype: false }),
      texts,
      fc.dictionary(texts, texts),
      fc.dictionary(
        inner,
        fc.oneof(
          texts,
          fc.json(),
          fc.dictionary(
            texts,
            fc.record({ parser: fc.constantFrom('json', 'ini', 'file'), find: fc.dictionary(texts, fc.anything()) }),
          ),
        ),
      ),
      fc.array(
        fc.record({
          name: texts,
          env_variable: fc.oneof(texts, fc.constantFrom('A', 'PATH')),
          default_value: texts,
          rules: texts,
        }),
      ),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 4 }), (changes) => {
        const egg = { ...whole }
        for (const [at, to] of changes)
          Object.defineProperty(egg, at, { value: to, enumerable: true, configurable: true, writable: true })
        try {
          const { template, notes } = importEgg(egg)
          assert.deepEqual(Template.parse(JSON.parse(JSON.stringify(template))), template)
          const shown = [template.name, template.summary, ...notes.flatMap(({ where, message }) => [where, message])]
          assert.doesNotMatch(shown.join(''), /\p{Cc}/u)
          exportEgg(template)
        } catch (error) {
          assert.ok(isKnown(error), error instanceof Error ? error.stack : String(error))
        }
      }),
      { numRuns: 150 },
    )
  })
})
