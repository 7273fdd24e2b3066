/** Connections of one sleeping server that are kept until it is up: a group of friends and their browsers, not a crowd. */
export const heldMax = 32

/** Connections that one sleeping server has open at all, also those that only ask how it is. */
export const visitorsMax = 256

/** Of those, from one address or network; visitors through an edge all come from this machine and count by the line above alone. */
export const visitorsPerSourceMax = 16

/** Bytes of one visitor that are looked at and kept: the head of a web request, or a game's first packets. */
export const openingBytesMax = 16 * 1024

/** How long a visitor may take to say what they want, in ms. */
export const openingWaitMs = 10_000

/**
 * Somebody who has connected and says nothing waits for the server to speak first. Port scanners have hung up by then, so that a
 * mere connection wakes nothing, in ms.
 */
export const quietMs = 3_000

/** How long a player's login is kept, in ms: the game's client gives up after 30 seconds without a word. */
export const loginHoldMs = 25_000

/** How long any other connection is kept, in ms: clients rarely wait longer for their first answer. */
export const holdMs = 120_000

/** How often a kept connection tries to reach the game that is up but does not listen yet, in ms. */
export const connectAgainMs = 200

/** Words that nobody fetches are kept this long, in ms. */
export const lingerMs = 2_000

/** How often visitors may wake one server within an hour: more than friends who come and go, and not worth a scanner's while. */
export const wakesPerHourMax = 12
export const wakesWindowMs = 60 * 60_000

/** Pings of one server that are answered in a second over UDP: a game's lists of servers, but no help for who forges addresses. */
export const pongsPerSecondMax = 20

/** How long until ports that could not be opened are tried again, in ms. */
export const openAgainMs = 30_000

/** How often it is looked whether servers are idle, in ms: little beside the shortest idle time, a minute. */
export const idleLookEveryMs = 15_000

/** A node that did not look for so long was itself away; what it did not see was perhaps somebody playing, in ms. */
export const blindMs = 60_000

/** Bytes of one table of connections: some fifty thousand of them. */
export const tableBytesMax = 8 * 1024 * 1024
