import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { lenient } from './lenient.ts'
import { NodeEvent, ServerSpec } from './node.ts'

const Deep = z.strictObject({
  list: z.array(z.strictObject({ a: z.int() })),
  maybe: z.strictObject({ b: z.string() }).nullable().optional(),
  map: z.record(z.string(), z.strictObject({ c: z.boolean() })),
  kind: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('x'), x: z.int() }),
    z.strictObject({ type: z.literal('y') }),
  ]),
  preset: z.strictObject({ d: z.int().default(7) }).prefault({}),
  checked: z.strictObject({ first: z.int(), last: z.int() }).refine(({ first, last }) => first <= last, 'order'),
})
const value = {
  list: [{ a: 1 }],
  maybe: { b: 'b' },
  map: { one: { c: true } },
  kind: { type: 'x', x: 1 },
  checked: { first: 1, last: 2 },
}

test('what a newer version adds is left out, wherever it stands', () => {
  const more = {
    ...value,
    list: [{ a: 1, newer: [1, 2] }],
    maybe: { b: 'b', newer: null },
    map: { one: { c: true, newer: '' } },
    kind: { type: 'x', x: 1, newer: {} },
    preset: { newer: 1 },
    checked: { first: 1, last: 2, newer: 3 },
    newer: true,
  }
  assert.equal(Deep.safeParse(more).success, false)
  assert.deepEqual(lenient(Deep).parse(more), Deep.parse(value))
})

test('everything else is refused as before', () => {
  for (const wrong of [
    { ...value, list: [{ a: 'one' }] },
    { ...value, kind: { type: 'z' } },
    { ...value, checked: { first: 2, last: 1 } },
    { ...value, map: undefined },
    null,
  ])
    assert.equal(lenient(Deep).safeParse(wrong).success, false)
  assert.equal(Deep.safeParse({ ...value, newer: 1 }).success, false, 'the schema itself stays strict')
})

test('the schemas of the link between panel and node can be loosened', () => {
  assert.equal(lenient(NodeEvent).safeParse({ type: 'removed', id: '1a7ce997', why: 'newer' }).success, true)
  assert.equal(lenient(NodeEvent).safeParse({ type: 'removed' }).success, false)
  assert.equal(lenient(ServerSpec), lenient(ServerSpec))
})
