import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The release whose V8 has the flag; another one may complain of it on standard error. */
const nodeMajor = '24.'

/**
 * Lets V8 count the bytes of buffers towards the size of its heap, which decides when garbage is collected. By itself it has a
 * separate, much lower limit for them, and a process that does nothing but pass bytes on collects its whole heap anew every 30 MB: that
 * is two thirds of its time. To be called once, as a process begins; it costs some 100 MB under load, however much is moved.
 */
export function countBuffersAsHeap(): void {
  if (process.versions.node.startsWith(nodeMajor)) setFlagsFromString('--external-memory-accounted-in-global-limit')
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

/** A collection of what is new for each 32 MB costs a hundredth of the time that passing them takes. */
const collectAfterBytes = 32_000_000

let passedBytes = 0
let collect: (() => void) | undefined

function newCollector(): () => void {
  if (!process.versions.node.startsWith(nodeMajor)) return () => undefined
  setFlagsFromString('--expose-gc')
  // The function is there in contexts that are made from here on.
  const gc: (options: object) => void = runInNewContext('gc')
  return () => gc({ type: 'minor', execution: 'sync' })
}
