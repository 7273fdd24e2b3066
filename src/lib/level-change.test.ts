import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { patienceMs } from '../../test/patience.ts'
import { LevelChange } from './level-change.ts'

function logAt(level: string) {
  const lines: { msg: string; before?: string; level: unknown }[] = []
  const log = pino(
    { level, base: null, timestamp: false },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  return { log, said: () => lines.splice(0).map(({ msg, before }) => (before === undefined ? msg : `from ${before}`)) }
}

test('says more at once, and is by itself again as it was', async () => {
  const { log, said } = logAt('warn')
  using change = new LevelChange(log)
  log.debug('not heard')
  change.set('debug', 20)
  log.debug('heard')
  assert.deepEqual(said(), ['from warn', 'heard'])
  for (const until = performance.now() + patienceMs; log.level !== 'warn' && performance.now() < until; )
    await new Promise((resolve) => setTimeout(resolve, 5))
  log.debug('not heard')
  assert.deepEqual(said(), ['from debug'])
})

test('a log that is silenced says so before, and one that speaks again after', () => {
  const { log, said } = logAt('info')
  using change = new LevelChange(log)
  change.set('silent', 60_000)
  log.error('not heard')
  assert.deepEqual(said(), ['from info'])
  change.set(null, 0)
  log.info('heard')
  assert.deepEqual(said(), ['from silent', 'heard'])
})

test('telling the same again says nothing, and what ended the first time does not end the second', async () => {
  const { log, said } = logAt('warn')
  using change = new LevelChange(log)
  change.set('info', 1)
  change.set('info', 60_000)
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(log.level, 'info')
  assert.deepEqual(said(), ['from warn'])
  change.set(null, 0)
  change.set(null, 0)
  assert.deepEqual(said(), ['from info'])
})
