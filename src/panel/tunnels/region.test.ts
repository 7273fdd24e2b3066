import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgesFor } from './region.ts'

const edges = ['eu', 'default', 'us', 'default']
const of = (labels: Record<string, string>, among = edges): string[] => edgesFor(labels, among, (region) => region)

test('a node links to every edge of the region that its label names, and to no other', () => {
  assert.deepEqual(of({ region: 'us' }), ['us'])
  assert.deepEqual(of({ region: 'EU', disk: 'nvme' }), ['eu'])
})

test('without a label, or in a region without an edge, it takes the default one', () => {
  assert.deepEqual(of({}), ['default', 'default'])
  assert.deepEqual(of({ region: 'mars' }), ['default', 'default'])
  assert.deepEqual(of({ region: '__proto__' }), ['default', 'default'])
})

test('where there is no default region it takes that of the first edge, and none where there is no edge', () => {
  assert.deepEqual(of({ region: 'mars' }, ['us', 'eu', 'us']), ['us', 'us'])
  assert.deepEqual(of({}, []), [])
})
