import { join } from 'node:path'
import { describe } from 'node:test'
import { filesOf, type groups } from './groups.ts'

const root = join(import.meta.dirname, '..')

/** Declares the tests of the files of that group, each in a suite of its name. */
export function declareAsOne(group: keyof typeof groups): void {
  for (const file of filesOf(group)) describe(file, () => import(join(root, file)))
}
