import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { it } from 'node:test'
import { promisify } from 'node:util'

const garbage = new URL('garbage.ts', import.meta.url).href

/**
 * Passes some bytes on and rests, until V8 has collected everything, as it does in such moments, and allows its heap little growth. Then it
 * passes a gigabyte on in pieces, with objects around them as streams have, and says how often the whole heap was collected meanwhile.
 */
const program = `
  import { constants, PerformanceObserver } from 'node:perf_hooks'
  import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
  import { setFlagsFromString } from 'node:v8'
  import { buffersPassed, countBuffersAsHeap } from '${garbage}'
  countBuffersAsHeap()
  setFlagsFromString('--gc-memory-reducer-start-delay-ms=100')
  let whole = 0
  const heard = ({ detail }) => {
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole += 1
  }
  new PerformanceObserver((list) => list.getEntries().forEach(heard)).observe({ entryTypes: ['gc'] })
  const heap = Array.from({ length: 100_000 }, (_, index) => ({ index, name: 'a name ' + index }))
  const waiting = []
  async function pass(bytes) {
    for (let passed = 0; passed < bytes; passed += 16_384) {
      waiting.push({ piece: Buffer.allocUnsafeSlow(16_384), around: Array.from({ length: 20 }, () => ({})) })
      if (waiting.length > 16) waiting.shift()
      buffersPassed(16_384)
      if (passed % 1_048_576 === 0) await turn()
    }
  }
  await pass(128e6)
  for (let looks = 0; looks < 100 && whole === 0; looks++) await sleep(20)
  whole = 0
  await pass(1e9)
  await sleep(1)
  console.log(whole, heap.length)
`

it('passes a gigabyte on in buffers with hardly a collection of the whole heap, also after a rest', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  const [whole, kept] = stdout.trim().split(' ').map(Number)
  assert.equal(kept, 100_000)
  assert.ok((whole ?? Number.NaN) <= 3, `${whole} collections of the whole heap`)
})
