/** Incidents of one server that are kept: what somebody looks through who wants to know why. */
export const incidentsPerServer = 50

/** How long they are kept, in ms: a season. */
export const incidentKeptMs = 90 * 24 * 60 * 60_000

/** How far in the future a node's clock may be, in ms: what is further away happened now. */
export const aheadMs = 60_000

/** Replies that a node is asked for when it comes back: every incident that two hundred servers can keep. */
export const repliesMax = 100

/** Servers whose newest nap is remembered, so that it is written once: every server of the largest installation we design for. */
export const napsSeenMax = 10_000
