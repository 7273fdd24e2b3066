import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import type { Json } from './json-schemas.ts'
import { type DocumentInfo, toOpenApi } from './openapi.ts'
import { type Operation, operation, socket } from './operation.ts'

const Size = z.strictObject({ memory: z.int().min(32).default(64) }).meta({ id: 'Size' })
const Thing = z
  .strictObject({
    id: z.string(),
    size: Size,
    note: z.string().nullable(),
    default: z.string(),
    example: z.int(),
    at: z.iso.datetime(),
  })
  .meta({
    id: 'Thing',
    description: 'A thing',
    example: { id: 'a', size: { memory: 64 }, note: null, default: 'x', example: 1, at: '2026-06-01T12:00:00.000Z' },
  })
const base = { tag: 'Things', errors: [] } as const
const things = {
  thing: operation({
    ...base,
    method: 'GET',
    path: '/things/{thingId}',
    family: 'panel',
    summary: 'Show one',
    access: { server: 'files.read' },
    params: z.object({ thingId: z.string().meta({ description: 'Which', example: 'a' }) }),
    query: z.object({ size: z.coerce.number().int().min(1).max(10).default(5), must: z.string() }),
    reply: Thing,
    errors: ['not_found'],
  }),
  makeThing: operation({
    ...base,
    method: 'POST',
    path: '/things',
    family: 'control',
    summary: 'Make one',
    access: { workspace: 'servers.create' },
    body: z.strictObject({ size: Size, name: z.string().max(80) }),
    reply: z.strictObject({ things: z.array(Thing) }),
    errors: ['conflict'],
  }),
  labelThing: operation({
    ...base,
    method: 'PUT',
    path: '/things/{thingId}',
    family: 'control',
    summary: 'Body may be absent',
    access: 'account',
    params: z.object({ thingId: z.string() }),
    body: z.strictObject({ label: z.string() }).optional(),
    reply: z.strictObject({}),
  }),
  power: operation({
    ...base,
    method: 'POST',
    path: '/things/{thingId}/power',
    family: 'panel',
    summary: 'By a field',
    access: { server: { field: 'action', of: { start: 'control.start', kill: 'control.kill' } } },
    params: z.object({ thingId: z.string() }),
    body: z.strictObject({ action: z.enum(['start', 'kill']) }),
    reply: z.strictObject({ message: z.string() }),
  }),
  open: operation({
    ...base,
    method: 'GET',
    path: '/open',
    family: 'control',
    summary: 'For anybody',
    access: 'public',
    reply: z.looseObject({}),
  }),
}
const live = {
  follow: socket({
    ...base,
    method: 'GET',
    path: '/things/{thingId}/live',
    family: 'panel',
    summary: 'Follow it',
    access: { server: 'visible' },
    params: z.object({ thingId: z.string() }),
    sends: Thing,
    accepts: z
      .discriminatedUnion('type', [
        z
          .strictObject({ type: z.literal('say'), text: z.string().max(10) })
          .meta({ id: 'Say', description: 'Says it' }),
      ])
      .meta({ id: 'Said' }),
  }),
}
const info: DocumentInfo = {
  title: 'Test',
  version: '1.0.0',
  description: 'Only a test',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  server: { url: '/api/v1', description: 'Here' },
  tags: { Unused: 'Never used', Things: 'What there is' },
  sessionCookie: 'session',
}

const document = toOpenApi([things], [live], [], info)
/** The part of the document at a path of keys. */
const at = (...keys: (string | number)[]): unknown => keys.reduce<unknown>((node, key) => (node as Json)[key], document)

describe('the document', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pharos-openapi-'))
  })
  after(() => rm(folder, { recursive: true }))

  test('is clean under the strict rules of a linter', async () => {
    const file = join(folder, 'openapi.json')
    await writeFile(file, JSON.stringify(document))
    const cli = join(import.meta.dirname, '../../node_modules/@redocly/cli/bin/cli.js')
    const { code, output } = await run(process.execPath, [cli, 'lint', file, '--extends', 'recommended-strict'])
    assert.equal(code, 0, output)
  })
  test('has every operation and WebSocket under its name', () => {
    const names = Object.values(at('paths') as Record<string, Record<string, Json>>).flatMap((path) =>
      Object.values(path).map((one) => one['operationId']),
    )
    assert.deepEqual(names.sort(), [...Object.keys(things), ...Object.keys(live)].sort())
  })
  test('lists only the tags in use, with their sentences', () => {
    assert.deepEqual(at('tags'), [{ name: 'Things', description: 'What there is' }])
  })
  test('shows replies as the family wraps them, with the example of the data', () => {
    const content = at('paths', '/things/{thingId}', 'get', 'responses', 200, 'content', 'application/json') as Json
    assert.deepEqual(content['schema'], {
      type: 'object',
      properties: { success: { type: 'boolean', const: true }, data: { $ref: '#/components/schemas/Thing' } },
      required: ['success', 'data'],
    })
    assert.equal((content['example'] as Json)['success'], true)
    const bare = at('paths', '/things', 'post', 'responses', 200, 'content', 'application/json', 'schema') as Json
    assert.deepEqual(bare['required'], ['things'])
  })
  test('has one answer for each status that an operation can give, in its family’s shape', () => {
    const statuses = (path: string, method: string): string[] =>
      Object.keys(at('paths', path, method, 'responses') as Json)
    assert.deepEqual(statuses('/things/{thingId}', 'get'), ['200', '400', '401', '403', '404', '429', '500'])
    assert.deepEqual(statuses('/things', 'post'), ['200', '400', '401', '403', '409', '413', '429', '500'])
    assert.deepEqual(statuses('/open', 'get'), ['200', '400', '429', '500'])
    assert.deepEqual(statuses('/things/{thingId}/live', 'get'), ['101', '200', '400', '401', '404', '429', '500'])
    assert.deepEqual(at('components', 'responses', 'PanelNotFound', 'content', 'application/json', 'schema'), {
      $ref: '#/components/schemas/PanelError',
    })
    assert.deepEqual(at('components', 'responses', 'ControlConflict', 'content', 'application/json', 'schema'), {
      $ref: '#/components/schemas/ControlError',
    })
  })
  test('authenticated answers carry the rate limit, public ones do not', () => {
    assert.ok('X-RateLimit-Remaining' in (at('paths', '/things', 'post', 'responses', 200, 'headers') as Json))
    assert.deepEqual(Object.keys(at('paths', '/open', 'get', 'responses', 200, 'headers') as Json), ['X-Request-Id'])
    assert.ok('Retry-After' in (at('components', 'responses', 'ControlRateLimited', 'headers') as Json))
    assert.deepEqual(at('paths', '/open', 'get', 'security'), [])
    assert.deepEqual(at('paths', '/things', 'post', 'security'), [{ key: [] }, { session: [] }])
  })
  test('says which permission an operation needs', () => {
    assert.equal(at('paths', '/things/{thingId}', 'get', 'description'), 'Needs `files.read` on the server.')
    assert.match(
      String(at('paths', '/things/{thingId}/power', 'post', 'description')),
      /`action`: `start` → `control\.start`, `kill` → `control\.kill`/,
    )
  })
  test('takes parameters apart, with what may be left out', () => {
    assert.deepEqual(at('paths', '/things/{thingId}', 'get', 'parameters'), [
      { name: 'thingId', in: 'path', required: true, description: 'Which', schema: { type: 'string' }, example: 'a' },
      { name: 'size', in: 'query', required: false, schema: { default: 5, type: 'integer', minimum: 1, maximum: 10 } },
      { name: 'must', in: 'query', required: true, schema: { type: 'string' } },
    ])
  })
  test('knows whether a body may be absent, and that unknown fields are refused', () => {
    assert.equal(at('paths', '/things', 'post', 'requestBody', 'required'), true)
    assert.equal(
      at('paths', '/things', 'post', 'requestBody', 'content', 'application/json', 'schema', 'additionalProperties'),
      false,
    )
    assert.equal(at('paths', '/things/{thingId}', 'put', 'requestBody', 'required'), false)
  })
  test('tells a schema as it is taken from the same as it is given', () => {
    assert.deepEqual(at('components', 'schemas', 'SizeInput'), {
      type: 'object',
      properties: { memory: { default: 64, type: 'integer', minimum: 32 } },
      additionalProperties: false,
    })
    assert.deepEqual(at('components', 'schemas', 'Size'), {
      type: 'object',
      properties: { memory: { default: 64, type: 'integer', minimum: 32 } },
      required: ['memory'],
    })
    assert.deepEqual(
      at('paths', '/things', 'post', 'requestBody', 'content', 'application/json', 'schema', 'properties', 'size'),
      { $ref: '#/components/schemas/SizeInput' },
    )
  })
  test('is not confused by fields that are called like keywords', () => {
    assert.deepEqual(Object.keys(at('components', 'schemas', 'Thing', 'properties') as Json), [
      'id',
      'size',
      'note',
      'default',
      'example',
      'at',
    ])
    assert.deepEqual(at('components', 'schemas', 'Thing', 'properties', 'at'), { type: 'string', format: 'date-time' })
  })
  test('shows what a WebSocket sends and takes', () => {
    const follow = at('paths', '/things/{thingId}/live', 'get') as Json
    assert.deepEqual(
      at('paths', '/things/{thingId}/live', 'get', 'responses', 200, 'content', 'application/json', 'schema'),
      { $ref: '#/components/schemas/Thing' },
    )
    assert.deepEqual(((follow['x-client-messages'] as Json)['properties'] as Json)['type'], {
      type: 'string',
      const: 'say',
    })
  })
})

test('refuses what must not be in it', () => {
  const internal: Operation = { ...things.open, family: 'internal' }
  assert.throws(() => toOpenApi([{ internal }], [], [], info), /internal is internal/)
  assert.throws(
    () => toOpenApi([{ open: { ...things.open, tag: 'Other' } }], [], [], info),
    /The tag Other has no description/,
  )
})

function run(program: string, args: string[]): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.execPath,
    HOME: tmpdir(),
    REDOCLY_TELEMETRY: 'off',
    REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  }
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, output: stdout + stderr }),
    )
  })
}
