export interface BackoffLimits {
  /** The first wait, in milliseconds. */
  firstMs: number
  /** No wait is longer, in milliseconds. */
  mostMs: number
}

/** Reconnecting: quick enough that a restart is hardly felt, slow enough that a thousand agents do not storm an edge. */
export const reconnectBackoff: BackoffLimits = { firstMs: 250, mostMs: 15_000 }

/**
 * How long to wait before attempt `attempt` (0 is the first): doubles each time up to the limit, ±25 % at random so that
 * peers that lost the same connection at the same moment do not all come back at the same moment.
 */
export function backoffMs(attempt: number, limits: BackoffLimits, random: () => number = Math.random): number {
  const plain = Math.min(limits.mostMs, limits.firstMs * 2 ** Math.min(attempt, 30))
  return Math.round(plain * (0.75 + random() * 0.5))
}
