/** Failed backups that stay listed: enough to see that something is wrong again and again. */
export const failedKeptMax = 5

/** How long a download link works, in ms: time to click it, and to come back after a pause. */
export const downloadLinkMs = 15 * 60 * 1000

/** How long the reply to a deletion waits for the node, in ms. */
export const deletionWaitMs = 5_000

/** How often unfinished deletions are tried again and running backups are compared with their nodes, in ms. */
export const sweepEveryMs = 60_000

/** A request to a node has been answered or given up after this, so a backup that its node does not know then was never begun, in ms. */
export const beginGraceMs = 60_000

/** How long removing an object from a store may take, in ms. */
export const storeRemoveMs = 30_000

/** Characters of a node's message about a backup that are kept. */
export const messageCharsMax = 1_000

/** How long a node may take to look into a repository or to give a snapshot up, in ms: stores are slow, and backups come first. */
export const repositoryAskMs = 60_000

/** Deletions that one sweep works on. */
export const sweptAtOnceMax = 200

/** How often backups whose server has moved are looked for besides being told, in ms. */
export const followEveryMs = 30_000

/** Of them looked at in one go; more wait for the next. */
export const followedAtOnceMax = 100
