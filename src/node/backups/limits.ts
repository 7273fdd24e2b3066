/** Backups made at the same time on one node: each keeps a core and the disk busy, and games run beside them. */
export const backupsAtOnce = 2

/** Progress is told at most this often, in ms. */
export const progressMs = 500

/** A file may claim a size that it does not take (sparse files), and a backup reads what it claims: this many times the server's disk limit is no game's. */
export const claimedDiskFactor = 2

/** Bytes that a backup leaves free on the node's disk: servers that write must not fail because of it. */
export const freeBytesMin = 256 * 1024 * 1024

/** After how many written bytes the free space is looked at again. */
export const freeCheckBytes = 32 * 1024 * 1024

/** Unpacking a backup may take this long, in ms: a hundred gigabytes from a slow store. */
export const restoreMs = 6 * 60 * 60_000

/** Entries of a backup whatever the disk limit is: what the memory of the process that unpacks has room for. */
export const restoreEntriesMax = 2_000_000

/** Folders inside folders in a backup: a few more than one that is made here ever has. */
export const restoreDepthMax = 210

/** What is known of a backup whose archive is in a store elsewhere is kept this long for a panel that has not asked yet, in ms. */
export const elsewhereKeptMs = 30 * 24 * 60 * 60 * 1000

/** Reading an archive to say what it holds is given up after this, in ms: a hundred gigabytes from a disk, and what only swells ends too. */
export const contentsMs = 60 * 60_000

/** Whoever looks into an archive for the first time gets an answer after this, in ms: its files, or how far they are. */
export const contentsAnswerMs = 3_000

/** What is remembered of the entries of one archive, in bytes before it is compressed: two million ordinary names. */
export const namesBytesMax = 512 * 1024 * 1024

/** Reasons why an archive could not be looked into that are kept for who asks next. */
export const contentsFailuresMax = 100
