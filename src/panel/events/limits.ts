/** Bytes that a viewer's connection may owe before the rest waits here: enough to keep a fast line busy. */
export const viewerBufferBytesMax = 1_048_576

/**
 * Characters that may wait for one viewer. More than the longest backlog and a burst, so that only a reader that really does
 * not keep up is let go of; and what a viewer can cost the panel.
 */
export const viewerWaitingCharsMax = 8 * 1_048_576

/** What an event without console lines counts as, in characters. */
export const smallEventChars = 200

/** How soon a full connection is looked at again. */
export const bufferPollMs = 20

/** Commands of one viewer that may be on their way at a time. People type slower. */
export const viewerCommandsMax = 32

/** Live connections of one user to one panel: many tabs and a few scripts. */
export const viewersPerUserMax = 200

/** How often every viewer's right is looked at although nothing was heard: sessions and keys that expire do so silently. */
export const recheckEveryMs = 1_000
