/** How long a join token works: long enough to walk to the machine, short enough that a forgotten one is harmless. */
export const joinTokenMs = 24 * 60 * 60 * 1000

/** How long a machine that has joined may keep the link on which it did: it needs to read one message. */
export const joinLingerMs = 10_000

/** How often a node is asked what it is: the free disk it reports is at most this old, and so is `lastSeen` after a crash of the panel. */
export const factsEveryMs = 60_000

/** How many characters of a node's own words reach a person: a sentence or two, whatever the node sends. */
export const nodeWordsMax = 300

/** How many characters a node's facts may have as JSON: a page of warnings, which is more than any machine deserves. */
export const factsCharsMax = 65_536
