/** Every limit of the Model Context Protocol as it is served here. */

/** One message of a client, in bytes: a text file of a few megabytes, which is more than an agent writes at a time. */
export const messageBytesMax = 4 * 1024 * 1024

/** Messages in one request, which a revision of 2025 allows: each may be answered at length. */
export const batchMessagesMax = 10

/** What a tool answers, in characters of JSON: some 15,000 tokens. Common clients cut or refuse what has more than 25,000. */
export const answerCharsMax = 60_000

/** A piece of a long text, in characters: half of an answer, since quotes and line ends count twice in JSON. */
export const textPartCharsMax = 30_000

/** Entries of a list that remain where an answer is too long, from most to fewest: the first number that fits. */
export const shortenedLists = [500, 200, 100, 50, 20, 10, 5, 1] as const

/** Characters of each text that remain where an answer is too long, from most to fewest. */
export const shortenedTexts = [20_000, 10_000, 5_000, 2_000, 1_000, 500, 200] as const

/** How long a tool waits for work that goes on by itself, in seconds: below the minute after which clients usually give up. */
export const waitSecondsDefault = 25

/** The longest that a client may ask a tool to wait: a large game is installed by then. */
export const waitSecondsMax = 600

/** How often work that is waited for is looked at, in ms: each look counts among the requests of the key. */
export const lookEveryMs = 2_000

/** Sessions of one key: several agents of one person, and what they have left behind. The longest unused makes room. */
export const sessionsPerKeyMax = 16

/** Sessions on one panel: what all of them keep together stays below 128 Mi characters. */
export const sessionsMax = 500

/** A session that nobody uses is ended after this long, in ms: a client makes a new one. An agent may think for minutes. */
export const sessionIdleMs = 30 * 60_000

/** How often idle sessions, and keys that have run out, are looked for, in ms. */
export const sweepEveryMs = 1_000

/** Requests of one key under way at a time, streams that stay open among them. */
export const exchangesPerKeyMax = 32

/** What a session keeps for a client that lost its connection, in messages and in characters of them; the oldest make room. Two long answers fit. */
export const replayMessagesMax = 200
export const replayCharsMax = 256 * 1024

/** Between the comments that keep an idle stream open, in ms: below the 60 s after which proxies close one. */
export const keepAliveMs = 15_000
