import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test('docs/metrics.md names every metric that there is, as what it is, and no other', () => {
  const sources = globSync('src/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'))
  const declared = sources.flatMap((path) => [
    ...[...read(path).matchAll(/\.read\(\s*'(counter|gauge)',\s*'([a-z_]+)'/g)].map(
      ([, type, name]) => `${name} ${type}`,
    ),
    ...[...read(path).matchAll(/\.(counter|histogram)\(\s*'([a-z_]+)'/g)].map(([, type, name]) => `${name} ${type}`),
  ])
  const documented = [...read('docs/metrics.md').matchAll(/^\| `([a-z_]+)` \| ([a-z]+) \|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  assert.ok(declared.length > 20, 'the sources were read')
  assert.deepEqual(documented.sort(), declared.sort())
})
