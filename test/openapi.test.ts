import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openApiDocument } from '../src/panel/document/index.ts'

test('docs/openapi.json is what the contract says; "npm run gen" writes it', () => {
  const committed = readFileSync(join(import.meta.dirname, '..', 'docs', 'openapi.json'), 'utf8')
  assert.deepEqual(JSON.parse(committed), JSON.parse(JSON.stringify(openApiDocument())))
})
