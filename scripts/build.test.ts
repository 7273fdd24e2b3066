import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { external } from './build.js'

const root = join(import.meta.dirname, '..')

/** Inside a split bundle a CommonJS package that is imported dynamically has no named exports: it runs as sources, and fails as it is shipped. */
test('every package that is imported dynamically stays outside the bundle', () => {
  const inside = globSync('src/**/*.ts', { cwd: root, exclude: ['**/*.test.ts', '**/testing/**'] }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bimport\('((?:@[\w-]+\/)?[\w-]+)[^']*'\)/g)].flatMap(
      ([, name]) =>
        name === undefined || name === 'node' || external.includes(name) ? [] : [`${file} imports ${name}`],
    ),
  )
  assert.deepEqual(inside, [])
})
