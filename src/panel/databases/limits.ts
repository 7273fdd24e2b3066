/** Databases of a server that was given no other number: some plug-ins want one each. */
export const databasesPerServer = 5

/**
 * How long whoever works on a database keeps others off, in ms: longer than the slowest call to a node or a host can take, so
 * that it is only ever taken over from a panel that has died.
 */
export const workLeaseMs = 90_000

/** How often what was left undone is looked for, in ms. */
export const reconcileEveryMs = 15_000

/** How long until something that failed is tried again, in ms. */
export const retryMs = 30_000

/** How many databases are put right in one go: more wait for the next. */
export const reconcileAtOnceMax = 100

/** How long a reply to a deletion, or to a creation that failed, waits for what remains to be done, in ms. */
export const finishWaitMs = 5_000

/** How long a list waits for the sizes of its databases, in ms: it is worth more than they are. */
export const sizesWaitMs = 2_000
