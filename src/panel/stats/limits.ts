/** Servers whose points are written by one query and transaction: well below the number of values that a query may have. */
export const serversPerWrite = 200

/** How often the panel looks whether a minute is over, in milliseconds. */
export const lookEveryMs = 5_000

/** Minutes that wait to be written, at most, over all servers: two of the largest installation. Older ones are lost first. */
export const waitingMax = 20_000

/** Values above are cut: more than any machine has, and sums of them stay exact. */
export const bytesMax = 2 ** 50
export const milliCoresMax = 1_000_000
