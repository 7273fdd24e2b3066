import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const web = join(import.meta.dirname, '..', 'web')
const read = (file: string): string => readFileSync(join(web, file), 'utf8')

/** A page: what is around it, its path, and its file. */
const route = /getParentRoute: \(\) => (\w+),\s+path: '([^']+)',.*?import\('\.\.\/([^']+)'\)/gs

/** What brings "as curl" along: the frame of a page, and the one around the pages of a server. */
const frames = /<(?:Page|ListPage)\b|\buseExtras\(\)/

test('every page for who is signed in offers what it shows as curl', () => {
  // Whoever is outside has asked for nothing that a key could ask for; the pages of a server are in its frame.
  const pages = [...read('app/router.tsx').matchAll(route)].filter(([, parent]) => parent === 'inside')
  assert.ok(pages.length > 20, `only ${pages.length} pages were found in the router`)
  const without = pages.filter(([, , , file = '']) => !frames.test(read(file)))
  assert.deepEqual(
    without.map(([, , path]) => path),
    [],
  )
})
