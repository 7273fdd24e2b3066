import type { RunEnd } from '../runtime.ts'

/** How a run ended, as the beginning of a sentence: "It crashed with code 1". */
export function exitWords(end: RunEnd, how: { asked: boolean; ready: boolean; memoryMiB: number }): string {
  const when = how.asked || how.ready ? '' : ' before it was ready'
  if (end.outOfMemory) return `It ran out of memory${when} (its limit is ${how.memoryMiB} MiB) and was ended`
  if (end.signal) return how.asked ? `It was ended by ${end.signal}` : `It crashed${when} with ${end.signal}`
  if (end.code === null) return `It ended${when}, and nothing saw how`
  if (end.code === 0) return how.asked ? 'It stopped' : `It ended by itself${when}`
  return how.asked ? `It stopped with code ${end.code}` : `It crashed${when} with code ${end.code}`
}
