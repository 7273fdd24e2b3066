/** Schedules that a server may have unless it is given another limit: restarts, backups and announcements fit several times over. */
export const schedulesPerServer = 10

/** Runs of one schedule whose results are kept: about two months of a nightly one. */
export const runsKeptMax = 50

/** How often the panel looks for what is due, in milliseconds: cron knows whole minutes, nobody notices a second. */
export const lookEveryMs = 1_000

/** How late a run may begin and still be on time, in milliseconds: an upgrade of the panel costs no nightly restart. */
export const lateMaxMs = 5 * 60_000

/** How many missed runs are counted one by one: the panel must not count for seconds after a year of absence. */
export const missedCountedMax = 100

/** How many due schedules are read at a time: thousands due at midnight never sit in memory together. */
export const dueAtOnceMax = 100

/** How often a panel says that it still works on its runs, in milliseconds. */
export const sayAliveEveryMs = 5_000

/** After how long without such a word a run counts as interrupted, in milliseconds: several words may be late. */
export const aliveMaxMs = 30_000

/** Characters of a failure's message that are kept: a long sentence. */
export const messageCharsMax = 500

/** How often a task that waits for its backup looks at it without having heard of its end, in milliseconds. */
export const lookAtBackupEveryMs = 15_000

/** How long a task waits for a node that is away, in milliseconds: longer than a node takes to be restarted and to link again. */
export const nodeAwayMaxMs = 60_000
