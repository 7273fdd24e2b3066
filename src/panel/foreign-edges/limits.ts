/** Every limit on edges of others. */

/** The window of the limits by minute, in milliseconds. */
export const minuteMs = 60_000

/** Requests of one edge for one of its routes, a minute: a hundred a second, when a thousand agents come back at once. Each route has its own, so that none starves another. */
export const requestsPerMinute = 6_000

/** Credentials that nobody has, from one address, a minute. */
export const failuresPerMinute = 20

/** No answer to "whose key is this" leaves sooner, in milliseconds: longer than looking takes, so that its time tells nothing of why a key is refused. */
export const verifyAnswerMs = 25

/** How long a record is known again, in milliseconds: an edge that was away for a week has all of it counted, and once. Older ones are set aside. */
export const recordsKeptMs = 7 * 24 * 60 * 60_000

/** How far an edge's clock may be ahead, in milliseconds, as for our own. */
export const clockSkewMaxMs = 24 * 60 * 60_000

/** Between two removals of what is not needed any more, in milliseconds. */
export const tidyEveryMs = 10 * minuteMs

/** Records written by one transaction: short enough for others to get their turn. */
export const recordsAtOnce = 500

/** Such pieces of one edge a second, in the long run: 1,000 records, nine times the busiest second that such an edge was ever seen in. Each is remembered, so they are no edge's to make up without end. */
export const piecesPerSecond = 2

/** And at once: what an edge has kept while it was away is taken quickly. Whole reports fit. */
export const piecesAtOnce = 240

/** Lines in the log about one edge, a second: what was set aside is counted anyway. */
export const warningsPerSecond = 1 / 60

/** Bytes kept of each text in a report: more than any id or host name, whatever a visitor's path was. */
export const textBytesMax = 1024

/** Bytes of a report with its texts cut: a thousand records many times over. */
export const reportBytesMax = 16 * 1024 * 1024

/** Bytes read of a report: 500 requests, the most that edges send at once, each with the largest head that they take (1 MiB). */
export const readBytesMax = 512 * 1024 * 1024

/** Host names of one workspace on one edge that are told apart in the usage; what is beyond is counted as one. */
export const hostsMax = 1_000

/** Host names of one workspace without any traffic until now that one edge may begin to order certificates for, an hour: random names cost a workspace's budget, not everybody's. */
export const namesPerHour = 50

/** Workspaces on edges whose budgets are remembered. */
export const budgetsMax = 20_000

/** Names that were found good lately, of all edges together. */
export const namesKeptMax = 10_000

export const hourMs = 60 * minuteMs

/** How late the time at which an edge was last here may be, in milliseconds: one write for many questions. */
export const seenLateMs = 60_000

/** Edges of others: each is a machine that somebody runs. */
export const edgesMax = 1_000
