import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')

/** The rows of the table of attacks: what it is, and the tests that it names as `file`: "name". */
async function rows(): Promise<{ row: string; tests: [file: string, name: string][]; reason: string }[]> {
  const text = await readFile(join(root, 'docs/security.md'), 'utf8')
  const table = text.slice(text.indexOf('## Known attacks'))
  return table
    .split('\n')
    .filter((line) => /^\| .* \|$/.test(line) && !/^\| (attack|-)/.test(line))
    .map((line) => {
      const [row = '', , held = ''] = line.slice(2, -2).split(' | ')
      const tests = [...held.matchAll(/`([^`]+\.test\.ts)`: "(.*?)"(?=<br>| *$)/g)].map(
        ([, file = '', name = '']): [string, string] => [file, name],
      )
      return { row, tests, reason: held }
    })
}

/** The names that a test file gives its tests; what a template fills in may be anything. */
async function namesIn(file: string): Promise<RegExp[]> {
  const text = await readFile(join(root, file), 'utf8')
  const calls = text.matchAll(/\b(?:test|it|testOn\w+)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)
  return [...calls].map(([, , name = '']) => {
    const parts = name.replaceAll(/\\(.)/g, '$1').split(/\$\{[^}]*\}/)
    return new RegExp(`^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)
  })
}

test('every test that the table of attacks names exists, and a row without one says why', async () => {
  const table = await rows()
  assert.ok(table.length > 50, `${table.length} rows`)
  const missing: string[] = []
  for (const { row, tests, reason } of table) {
    if (tests.length === 0) assert.match(reason, /^not here: .{20}/, `${row} has neither a test nor a reason`)
    for (const [file, name] of tests)
      if (!(await namesIn(file).catch((): RegExp[] => [])).some((known) => known.test(name)))
        missing.push(`${file}: ${name}`)
  }
  assert.deepEqual(missing, [])
})

test('each of the 25 attacks on tunnels has a row, and its tests bear its number', async () => {
  const byNumber = new Map((await rows()).map(({ row, tests }) => [row, tests]))
  for (let number = 1; number <= 25; number++) {
    const tests = byNumber.get(`S${number}`)
    assert.ok(tests, `S${number} has no row`)
    if (tests.length > 0)
      assert.ok(
        tests.some(([, name]) => new RegExp(`\\bS${number}\\b`).test(name)),
        `no test of S${number} bears its number`,
      )
  }
})
