import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { breaches } from './architecture.ts'

const root = join(import.meta.dirname, '..')

/** These two run in Node, when the pages are built. */
const builtOutsideTheBrowser = ['web/vite.config.ts', 'web/contract-plugin.ts']

test('the sources keep to the structure of the project', () => {
  const paths = globSync(['src/**/*.ts', 'web/**/*.{ts,tsx}'], { cwd: root, exclude: builtOutsideTheBrowser })
  const sources = new Map(paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')]))
  assert.ok(sources.size > 50, `only ${sources.size} sources found`)
  assert.equal(breaches(sources).join('\n'), '')
})

describe('a breach names its offender', () => {
  const of = (files: Record<string, string>): string[] => breaches(new Map(Object.entries(files)))
  const refused: Record<string, [file: string, text: string, sentence: RegExp]> = {
    'a process that imports another': [
      'src/panel/x.ts',
      `import { a } from '../node/node.ts'`,
      /src\/panel\/x\.ts -> src\/node\/node\.ts: panel may not import node/,
    ],
    'a type of another process': [
      'src/edge/x.ts',
      `import type { A } from '../panel/panel.ts'`,
      /edge may not import panel/,
    ],
    'a re-export of another process': [
      'src/edge/x.ts',
      `export { a } from '../agent/agent.ts'`,
      /edge may not import agent/,
    ],
    'an import over several lines': [
      'src/link/x.ts',
      `import {\n  a,\n  b,\n} from '../http/index.ts'`,
      /link may not import http/,
    ],
    'a dynamic import': ['src/cli/x.ts', `const a = await import('../panel/panel.ts')`, /cli may not import panel/],
    'an import of a computed name': ['src/cli/x.ts', 'await import(name)', /computed name/],
    'a type imported in place': ['src/cli/x.ts', `let a: import('../roles/up.ts').Up`, /cli may not import roles/],
    'the inside of a closed folder': [
      'src/edge/x.ts',
      `import { a } from '../link/wire.ts'`,
      /use src\/link\/index\.ts/,
    ],
    'the inside of another slice': [
      'src/panel/a/x.ts',
      `import { s } from '../b/store.ts'`,
      /src\/panel\/a\/x\.ts -> src\/panel\/b\/store\.ts/,
    ],
    'a driver outside the database folder': [
      'src/panel/a/store.ts',
      `import pg from 'pg'`,
      /only src\/panel\/db\/ uses it/,
    ],
    'the HTTP framework in a slice': [
      'src/panel/a/routes.ts',
      `import type { FastifyInstance } from 'fastify'`,
      /only src\/http\/ uses it/,
    ],
    'a Node module in the contract': ['src/contract/x.ts', `import { join } from 'node:path'`, /runs in a browser/],
    'a package in the client': ['src/client/x.ts', `import ws from 'ws'`, /runs in a browser/],
    'reading the environment': ['src/node/x.ts', 'const home = process.env.HOME', /reads process\.env/],
    'a file name in camel case': ['src/lib/someThing.ts', '', /not kebab-case/],
    'a page that knows a process': [
      'web/a/x.tsx',
      `import { a } from '../../src/panel/panel.ts'`,
      /web may import contract and client alone/,
    ],
    'a page that knows the inside of the client': [
      'web/a/x.tsx',
      `import { a } from '../../src/client/client.ts'`,
      /use src\/client\/index\.ts/,
    ],
    'a page that uses a Node module': ['web/a/x.tsx', `import { join } from 'node:path'`, /runs in a browser/],
    'a process that imports a page': ['src/panel/x.ts', `import { a } from '../../web/ui/a.ts'`, /outside src/],
    'a folder that the table does not know': [
      'src/utils/x.ts',
      `import { a } from '../lib/a.ts'`,
      /not in the import table/,
    ],
  }
  for (const [what, [file, text, sentence]] of Object.entries(refused))
    test(what, () => assert.match(of({ [file]: text }).join('\n'), sentence))

  test('a cycle of slices', () => {
    const found = of({
      'src/panel/a/x.ts': `import { b } from '../b/index.ts'`,
      'src/panel/b/x.ts': `import { c } from '../c/index.ts'`,
      'src/panel/c/x.ts': `import type { A } from '../a/index.ts'`,
    })
    assert.match(found.join('\n'), /a cycle of slices: a -> b -> c -> a/)
  })

  test('and comments and what is allowed are left in peace', () => {
    const found = of({
      'src/panel/a/x.ts': `// import { a } from '../../node/node.ts'\n/* process.env */\nimport { b } from '../b/index.ts'\nimport { Queue } from '../../lib/queue.ts'`,
      'web/a/x.tsx': `import { a } from '../ui/a.tsx'\nimport { b } from '../../src/contract/power.ts'`,
      'src/roles/up.ts': `import { startPanel } from '../panel/panel.ts'`,
    })
    assert.deepEqual(found, [])
  })
})
