/** Ports that a new server may have: the game, queries, remote control, a map and voice. An administrator changes it per server. */
export const allocationLimitDefault = 5

/** The most that an administrator may allow one server: each is a port of the node for good. */
export const allocationLimitMax = 100

/** Ports that a node is asked about at once: usually the first is free, and a whole pool takes a few questions. */
export const portsAskedMax = 64

/** How often a port is chosen again when others take the chosen ones at the same moment. */
export const choiceAttemptsMax = 5
