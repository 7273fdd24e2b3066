/** A server on the same continent answers within a fraction of this, in milliseconds. */
export const connectTimeoutMs = 5_000

/** No statement of ours does more than drop a database, which takes a large one a few seconds, in milliseconds. */
export const statementTimeoutMs = 10_000

/** How long to wait for another process of ours that works on the same database, in seconds. */
export const lockWaitSeconds = 10

/** Connections of one account at a time: a game with a large pool has some dozens, and one that leaks must leave room for others. */
export const accountConnectionsMax = 60

/** How much of a table's rows goes into one statement, in bytes: a single row may be larger. */
export const insertBytes = 256 * 1024

/** Of one statement, in bytes: a row whose texts are written as hexadecimal digits takes twice as much as the usual limit of a server. */
export const packetBytesMax = 64 * 1024 * 1024
