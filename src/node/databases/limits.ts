/**
 * The ports that MariaDB gets: below those that the system hands out to others, and near the usual 3306 for people to
 * recognise. The first free one is kept for ever, since games write it into their settings.
 */
export const usualPorts = { first: 23_306, last: 23_505 }

/** How long a caller waits for MariaDB to be installed, in ms: a quick mirror is quicker, else the caller is told to come back. */
export const installWaitMs = 15_000

/**
 * How long a caller waits for MariaDB to be ready, in ms: a second is usual. Repairing much after a crash takes longer; it goes
 * on, and the caller is told to come back.
 */
export const startWaitMs = 15_000

/** How many ports are tried at the first start when another program takes one at the same moment. */
export const portAttemptsMax = 5

/** How often a MariaDB that starts is asked whether it is ready, in ms. */
export const readyPollMs = 50

/** How long it may take to write everything down and end, in ms, before it is killed; it repairs itself then. */
export const stopWaitMs = 60_000

/** Pauses before it is started again after it ended by itself. */
export const restartBackoff = { firstMs: 500, mostMs: 60_000 }

/** Past this it counts as having run well, so that the next pause is a short one again, in ms. */
export const steadyMs = 60_000

/** What MariaDB may use: enough for the small databases of many games, and never the machine's whole memory. */
export const memoryBytes = 1024 * 1024 * 1024
export const cpuCores = 2
