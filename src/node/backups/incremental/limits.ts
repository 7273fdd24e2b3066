/** How often restic tells how far it is, a second: as often as progress is passed on. */
export const progressPerSecond = 2

/** Cores that one restic keeps busy: games run beside it. */
export const resticCores = 2

/** Of what restic complains, in characters that are kept: some lines. */
export const complaintCharsMax = 4_000

/** One line of restic's output, in characters: an entry with the longest path, or a snapshot with many paths. */
export const lineCharsMax = 4 * 1024 * 1024

/** Entries of one folder that are told: what a person reads, and a reply holds. */
export const entriesToldMax = 5_000

/** Snapshots that are forgotten before what only they held is cleared away: clearing reads and rewrites, forgetting does not. */
export const forgottenMax = 5

/** What was forgotten is cleared away after this all the same, in ms. */
export const pruneEveryMs = 24 * 60 * 60_000

/** Clearing away rewrites at most so much at a time; the rest waits for the next time. */
export const repackedMax = '2G'

/** Share of a repository that may be of no use any more before it is rewritten: what is saved would not be worth the work. */
export const unusedMax = '10%'

/** What clears away or forgets is given up after this, in ms: a slow store and gigabytes. */
export const tidyMs = 60 * 60_000

/** A check is given up after this, in ms: it may read everything from a slow store. */
export const checkMs = 12 * 60 * 60_000

/** One small question to a repository is given up after this, in ms: below what the panel waits for. */
export const askMs = 25_000

/** How long a pass for a download may be used, in ms: the panel does so at once. */
export const passMs = 60_000

/** Passes that are kept: far more than people who begin a download in one minute. */
export const passesMax = 1_000

/** Names of files that could not be read that are told. */
export const unreadToldMax = 5
