/** How often a panel says that it is there and looks who else is, in ms: a new one has its nodes within seconds. */
export const lookEveryMs = 5_000

/** How long a panel that is silent is still dialled, in ms: an upgrade or a repair ends within it, and nodes need not learn of it anew. */
export const keptMs = 24 * 60 * 60 * 1000
