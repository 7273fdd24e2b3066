import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The release whose V8 has the flag; another one may complain of it on standard error. */
const nodeMajor = '24.'

/**
 * Makes V8 collect garbage as suits a process that mostly passes bytes on. To be called once, as it begins; it costs some 100 MB under
 * load, however much is moved.
 *
 * - Bytes of buffers count towards the size of the heap, which decides when all of it is collected. By itself V8 has a separate, much
 *   lower limit for them, and collects the whole heap anew every 30 MB: that is two thirds of the time of such a process.
 * - The heap may grow to four times what the last such collection left, the most that V8 allows by itself. It reckons how far from what fills
 *   the heap, which buffers do not, and so allows a tenth: after some seconds of rest, in which it collects once, again every 8 MB.
 */
export function countBuffersAsHeap(): void {
  if (!process.versions.node.startsWith(nodeMajor)) return
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  setFlagsFromString('--heap-growing-percent=300')
}

/**
 * Says that so many bytes of buffers were passed on and are of no use any more; now and then that frees them. Buffers do not fill the part
 * of the heap for what is new, whose collection takes half a millisecond, so V8 would leave them until their bytes make it collect the whole
 * heap: that is a quarter of the time of a process that passes bytes on.
 */
export function buffersPassed(bytes: number): void {
  passedBytes += bytes
  if (passedBytes < collectAfterBytes) return
  passedBytes = 0
  collect ??= newCollector()
  collect()
}

/** A collection of what is new for each 16 MB costs a hundredth of the time that passing them takes; a small heap has room for more. */
const collectAfterBytes = 16_000_000

let passedBytes = 0
let collect: (() => void) | undefined

function newCollector(): () => void {
  if (!process.versions.node.startsWith(nodeMajor)) return () => undefined
  setFlagsFromString('--expose-gc')
  // The function is there in contexts that are made from here on.
  const gc: (options: object) => void = runInNewContext('gc')
  return () => gc({ type: 'minor', execution: 'sync' })
}
