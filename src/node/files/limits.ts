/** Every limit on files, with why. */

/** Entries whose facts are asked for at the same time: enough to keep the disk busy, few enough to leave the thread pool to others. */
export const statsAtOnce = 64

/** Results of one search: more than anybody reads. */
export const searchResultsMax = 500

/** Entries that one search looks at: a few seconds. */
export const searchEntriesMax = 500_000

/** One search takes at most so long, in ms. */
export const searchMs = 10_000

/** Compressing, copying and the like may take this long, in ms; then they are undone. */
export const longWorkMs = 15 * 60_000

/** Entries of an archive: more than any game's world, few enough to be written in minutes. */
export const archiveEntriesMax = 500_000

/** What an archive may become beside its own size: text compresses a hundredfold, what does more is meant to fill disks. */
export const archiveRatioMax = 1_000

/** Small archives may become this large whatever their ratio, in bytes. */
export const archiveFreeBytes = 64 * 1024 * 1024

/** Folders inside folders in an archive. */
export const archiveDepthMax = 100

/** Uploads that are not finished, of one server: a person with a few dozen files in a browser. */
export const uploadsMax = 100

/** An upload that is not continued for so long is thrown away, in ms. */
export const uploadIdleMs = 24 * 60 * 60_000

/** Downloads from URLs at the same time, of one server. */
export const pullsMax = 3

/** A download from a URL that is over stays in the list for so long, in ms. */
export const pullKeptMs = 60 * 60_000

/** How often the free space of the disk is looked at, which costs nothing, in ms: what a game can write in that time, and while its files are counted, is how far it gets past its limit. */
export const lookMs = 1_000

/** How often the files of a running server are counted while the disk loses space, in ms: it may be this one that takes it. */
export const watchMs = 10_000

/** The part of what a server has left that the disk must have lost for that. */
export const lostShare = 0.1

/** How often they are counted whatever the disk says, in ms: others may free as much as it takes. Counting starts a process, and there may be hundreds of servers. */
export const quietWatchMs = 60_000

/** At this part of its limit a server is warned. */
export const warnAt = 0.95

/** At this part of its limit a server that was asked to stop is killed: it does not stop, it writes. Saving a world fits in between. */
export const killAt = 1.1
