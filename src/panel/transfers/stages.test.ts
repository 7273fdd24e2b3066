import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { transferStages } from '../../contract/transfer-stages.ts'
import { after, holds, isEnd, type Outcome } from './stages.ts'

const outcomes: Outcome[] = ['done', 'again', 'cancel', 'give up']

describe('the stages of a transfer', () => {
  test('lead to the end one after the other', () => {
    const way = ['waiting']
    for (let stage = after('waiting', 'done'); ; stage = after(stage, 'done')) {
      way.push(stage)
      if (isEnd(stage)) break
    }
    assert.deepEqual(way, ['waiting', 'stopping', 'copying', 'verifying', 'databases', 'switching', 'done'])
  })
  test('begin copying anew, never anything that was done before it', () => {
    for (const stage of ['copying', 'verifying'] as const) assert.equal(after(stage, 'again'), 'copying')
    assert.equal(after('waiting', 'again'), 'waiting')
    assert.equal(after('stopping', 'again'), 'stopping')
  })
  test('keep the files that the target has adopted, and bring the databases anew', () => {
    for (const stage of ['databases', 'switching'] as const) assert.equal(after(stage, 'again'), 'databases')
  })
  test('can be left from anywhere but an end, which nothing changes', () => {
    for (const stage of transferStages)
      for (const outcome of outcomes) {
        if (isEnd(stage)) assert.equal(after(stage, outcome), stage)
        else if (outcome === 'cancel') assert.equal(after(stage, outcome), 'cancelled')
        else if (outcome === 'give up') assert.equal(after(stage, outcome), 'failed')
      }
  })
  test('hold the server from its stop to the end, and never without one', () => {
    assert.deepEqual(transferStages.filter(holds), ['stopping', 'copying', 'verifying', 'databases', 'switching'])
  })
})
