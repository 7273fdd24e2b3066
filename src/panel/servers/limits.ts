/** How many servers a list shows at once where nobody asks for fewer: more than most people have, and still one quick query. */
export const serversPerPage = 1000

/** How long the reply to a deletion waits for the node, so that in the ordinary case it is done when it says so. */
export const deletionWaitMs = 5_000

/** How long until a deletion that failed on a node that is here is tried again. */
export const deletionRetryMs = 30_000

/** How many specs are on their way to one node at a time when it comes back. */
export const pushesAtOnce = 8

/** How often a creation is tried when another one takes the same port at the same moment. */
export const placementAttemptsMax = 5

/** How many unknown servers of one link are named in the log: enough to notice, too few to flood it. */
export const strangersLoggedMax = 20

/** How many servers' details are remembered: every server of the largest installation we design for. */
export const detailsMax = 10_000

/** How often a node that stays is compared with the database: what a push could not deliver is delayed by this at most. */
export const reconcileEveryMs = 60_000

/** How many characters of a node's message about a server are kept and shown: a long sentence, whatever the node sends. */
export const messageCharsMax = 1_000
