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
