import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesOf, groups } from './groups.ts'

const root = join(import.meta.dirname, '..')
const names = Object.keys(groups) as (keyof typeof groups)[]

test('every group is run by a file of its name', () => {
  for (const name of names) assert.ok(existsSync(join(root, 'test', 'as-one', `${name}.test.ts`)), name)
})

test('no test file is in two groups', () => {
  const all = names.flatMap((name) => filesOf(name))
  assert.equal(new Set(all).size, all.length)
})

test('what a group names is there, also what it leaves out', () => {
  for (const { files, apart } of Object.values(groups))
    for (const pattern of [...files, ...apart])
      assert.ok(globSync(pattern, { cwd: root }).length > 0, `${pattern} names no file`)
})
