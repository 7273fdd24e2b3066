/** A server on the same continent answers within a fraction of this, in milliseconds. */
export const connectTimeoutMs = 5_000

/** No statement of ours does more than drop a database, which takes a large one a few seconds, in milliseconds. */
export const statementTimeoutMs = 10_000

/** How long to wait for another process of ours that works on the same database, in seconds. */
export const lockWaitSeconds = 10

/** Connections of one account at a time: a game with a large pool has some dozens, and one that leaks must leave room for others. */
export const accountConnectionsMax = 60
