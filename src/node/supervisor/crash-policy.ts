/** The pauses before the restarts that follow each other, in ms: long enough for a port or a lock to be released, short enough that players wait for it. */
const pausesMs = [5_000, 10_000, 30_000, 60_000, 120_000] as const

/** Crashes further apart than this have nothing to do with each other, in ms. */
const windowMs = 10 * 60_000

/** This many crashes within `windowMs` are a fault that restarting does not cure. */
export const crashesMax = pausesMs.length + 1

export interface CrashVerdict {
  /** When to start it again, ms since 1970; null to leave it. */
  restartAt: number | null
  /** The crashes that still count, the new one included: give them back at the next crash. */
  recent: number[]
  message: string
}

/**
 * Decides what follows a crash at `now`. `recent` are the times of the crashes before it. Only crashes come here: a server
 * that was asked to stop, or that ended by itself without an error, is left alone by the caller.
 * @param how what happened, for the message: "It crashed with code 1".
 */
export function afterCrash(recent: readonly number[], now: number, how: string): CrashVerdict {
  const counted = [...recent.filter((at) => now - at < windowMs && at <= now), now]
  if (counted.length >= crashesMax) {
    const minutes = Math.round(windowMs / 60_000)
    return {
      restartAt: null,
      recent: counted,
      message: `${how}. That was crash ${counted.length} within ${minutes} minutes: it stays off until you start it.`,
    }
  }
  const pauseMs = pausesMs[counted.length - 1] ?? pausesMs[pausesMs.length - 1] ?? 0
  return {
    restartAt: now + pauseMs,
    recent: counted,
    message: `${how}. It is started again in ${pauseMs / 1000} seconds.`,
  }
}
