/** Transfers that touch one node at a time: each keeps its disk and its line busy, and games run beside them. */
export const transfersPerNodeMax = 2

/** A panel that works on a transfer says so again before this is over, in ms; after it another panel takes the transfer over. */
export const leaseMs = 60_000

/** How often it says so, in ms: several times before that. */
export const renewMs = 10_000

/** How often waiting transfers are looked at besides being told, in ms. */
export const lookEveryMs = 5_000

/** How often a node is asked how far it is, in ms. */
export const askEveryMs = 300

/** How often copying is begun before a transfer is given up: once for each thing that may go wrong on the way, and some more. */
export const attemptsMax = 5

/** The pause before another try, in ms. */
export const againMs = 2_000

/** A node that is away is waited for this long in all, in ms; then the server goes back to its owner. */
export const awayMaxMs = 15 * 60_000

/** A server may take this long to stop, in ms: its template's own limit is shorter, and ends in a kill. */
export const stopMaxMs = 15 * 60_000

/** Making ready on the target, reading again there: longer than this is a fault, in ms. */
export const nodeWorkMaxMs = 6 * 60 * 60_000

/** Taking a server over is a rename and a flush of what is still in memory, in ms. */
export const adoptTimeoutMs = 5 * 60_000

/** Whoever else uses a database of the server is waited for this long, in ms: time for a person to read that and stop it. */
export const inUseMaxMs = 10 * 60_000

/** Reading a whole database: a hundred million rows take less, in ms. */
export const databaseReadMaxMs = 60 * 60_000

/** Progress is written down at most this often, in ms, and told this often. */
export const progressMs = 500

/** How long ended transfers are remembered, in ms. */
export const rememberedMs = 30 * 24 * 60 * 60_000

/** Words about a transfer that are kept, in characters. */
export const messageCharsMax = 500

/** Ports that a node is asked about at once, when a server needs others than it had. */
export const portsAskedMax = 100
