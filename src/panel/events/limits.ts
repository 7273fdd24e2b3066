/** Bytes that a viewer's connection may owe before it counts as too slow: far more than a screenful, far less than a memory problem. */
export const viewerBufferBytesMax = 1_048_576

/** Messages that may wait for a viewer's permission to be looked up. They wait a moment at most; a flood ends the connection. */
export const viewerWaitingMax = 2_000

/** Commands of one viewer that may be on their way at a time. People type slower. */
export const viewerCommandsMax = 32

/** Live connections of one user to one panel: many tabs and a few scripts. */
export const viewersPerUserMax = 200

/** How often every viewer's right is looked at although nothing was heard: sessions and keys that expire do so silently. */
export const recheckEveryMs = 1_000
