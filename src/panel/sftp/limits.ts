/** Every limit of SFTP at the panel. */

/** Questions of one node that are worked on at a time; the next ones wait in its link. What a node itself lets wait at once. */
export const questionsAtOnceMax = 64

/** Sessions of one node: as many as it has connections, and a little more. A node that tells of more is not believed. */
export const sessionsPerNodeMax = 1_000

/** Acts of one node that are written to the log of activity: a burst, and so many a second in the long run. A session tells some every few seconds. */
export const actsPerNode = { burst: 2_000, perSecond: 50, keysMax: 1_000 } as const

/** Everything is looked at anew this often, whatever was announced, in ms: keys run out by themselves. */
export const recheckEveryMs = 60_000
