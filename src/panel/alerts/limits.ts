/** How often the panel looks at what has ended: incidents, backups, schedules; in ms. */
export const lookEveryMs = 5_000

/** How often it looks at what is so: nodes, disks, quotas, tunnels; in ms. */
export const levelsEveryMs = 30_000

/** How far back it looks when it starts, in ms: what ended while no panel was there is still told. */
export const catchUpMs = 60 * 60_000

/** How far back it looks besides, in ms: what was written by another panel, whose clock may be behind. */
export const overlapMs = 2 * 60_000

/** What ended, read at a time. */
export const rowsMax = 500

/** A node or a tunnel may be away for so long before anybody is told, in ms: a restart is no news. */
export const awayAfterMs = 60_000

/** Where there are several panels, a node may be linked to another one, which says so this often; in ms. */
export const otherPanelMs = 150_000

/** A disk or a quota is nearly used up from there, and no longer below the second: it would else be told again and again. */
export const nearlyFull = 0.9
export const notFullAgain = 0.85

/** An exit and the state after it are written down within that time, in ms. */
export const exitToOfflineMs = 10_000

/** Events that this panel remembers to have told: what several looks see again. */
export const toldMax = 5_000
