/** What is fetched of a source, in bytes: the largest collection of eggs that is known has some ten million. */
export const sourceBytesMax = 64 * 1024 * 1024

/** The same unpacked, in bytes: an archive of zeros is a thousand times smaller than what it unpacks to. */
export const unpackedBytesMax = 256 * 1024 * 1024

/** Eggs of one source: the largest collection that is known has some four hundred. */
export const eggsMax = 2_000

/** Names in an archive, of whatever kind. */
export const entriesMax = 50_000

/** Text of all its eggs together, in bytes: it is held in memory. */
export const eggBytesMax = 64 * 1024 * 1024

/** Fetching a source may take so long, in ms. */
export const fetchTimeoutMs = 120_000

/** A panel that reads a source is believed to do so for this long, in ms; after that another one may. */
export const busyMs = 10 * 60_000

/** How often sources are looked at whose time may have come, in ms. */
export const lookEveryMs = 60_000

/** Sources of one installation. */
export const sourcesMax = 50

/** Templates of one installation. */
export const templatesMax = 5_000

/** How many ids are tried for an egg whose name is taken. */
export const idsTriedMax = 50
