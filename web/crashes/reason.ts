import type { Crash } from './queries.ts'

type Cause = Pick<Crash, 'code' | 'signal' | 'outOfMemory'>

/** How a process ended, as far as that can be told. */
export type Ending =
  | { by: 'memory' }
  | { by: 'signal'; signal: string }
  | { by: 'code'; code: number }
  | { by: 'unknown' }

/** Signals by the numbers that Linux gives them: a shell that ran the program says 128 and the number. */
const signalsByNumber: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
}

export function endingOf({ code, signal, outOfMemory }: Cause): Ending {
  if (outOfMemory) return { by: 'memory' }
  const named = signal ?? (code === null ? undefined : signalsByNumber[code - 128])
  if (named !== undefined) return { by: 'signal', signal: named }
  return code === null ? { by: 'unknown' } : { by: 'code', code }
}
