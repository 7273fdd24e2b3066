/** What the kept requests of one workspace may take of an edge's memory, bytes: a few tunnels with full captures. */
export const workspaceBytesMax = 64 * 1024 * 1024

/** What all of them may take together, bytes. Where it is reached, those make room who have most. */
export const edgeBytesMax = 256 * 1024 * 1024

/** What is made free when the edge is full, as a part of it: who has most is looked for once for that much. */
export const freedPart = 0.05

/** What an entry costs in memory beside the text and the bytes in it, measured. */
export const entryBytes = 600

/** Of a target without full capture, in characters: longer ones are searches and data, of which the begin tells enough. */
export const targetCharsMax = 2_048

/** Of a method, in characters; the longest registered one has 17. */
export const methodCharsMax = 32

/** How often what is too old is looked for, ms: so much later than promised it may go. */
export const sweepEveryMs = 5_000

/** Who waits for news of one tunnel at a time. */
export const watchersPerTunnelMax = 50

/** News wait so long for others, so that a busy tunnel is told of in batches, ms. */
export const newsBatchMs = 300

/** The time over which a rate is taken, ms: steady enough to read, quick enough to follow. */
export const rateWindowMs = 2_000

/** How long a service may take for a replayed request, ms: below the time that a reply over a link may take. */
export const replayTimeoutMs = 25_000

/** What is kept of the answer to a replayed request, bytes, where the tunnel keeps less. */
export const replayAnswerBytesMax = 256 * 1024

/** Replays of one tunnel at once. */
export const replaysAtOnceMax = 4

/** Replays of one tunnel: a second in the long run, and at once. A person clicks slower; a load test is not what this is for. */
export const replaysPerSecond = 2
export const replaysBurst = 20
