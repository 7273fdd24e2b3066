/** How late an entry may be in the database, in milliseconds: what a panel loses of the log when it is killed. */
export const writeDelayMs = 250

/** Entries written by one query: well below the number of values that a query may have (32,766 on SQLite). */
export const entriesPerWrite = 500

/** Entries that wait to be written, at most: a database that does not answer must not fill the memory. */
export const waitingMax = 20_000

/** How long entries are kept, in milliseconds: ninety days, as long as questions come up. */
export const keptMs = 90 * 24 * 60 * 60 * 1000

/** Entries kept per workspace: the newest. Nobody can fill the disk by doing something very often. */
export const keptPerWorkspaceMax = 100_000

/** The same of what belongs to no workspace (signing in, for one), per account. */
export const keptPerUserMax = 10_000

/** How often old entries are removed, in milliseconds. */
export const tidyEveryMs = 10 * 60_000

/** Entries of one page where nobody asks for fewer. */
export const entriesPerPage = 50

/** Characters kept of what a client says of itself, and of what an act was about. */
export const textCharsMax = 200
