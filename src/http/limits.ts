/** Every limit of an HTTP server of ours. */

/** Request bodies of the API, in bytes: several times the largest thing that a form or a client of ours sends. Files go by upload routes. */
export const bodyBytesMaxDefault = 1024 * 1024

/** A whole API body must be here this long after its first byte: generous for 1 MiB on a bad phone, useless for holding connections. */
export const bodyTimeoutMs = 30_000

/** Request line and headers together, in bytes: cookies and long file names fit, memory per connection stays small. */
export const headerBytesMax = 16 * 1024

/** Headers must be complete this long after the connection opened or the last reply ended its keep-alive. */
export const headersTimeoutMs = 15_000

/** How often the headers timeout is looked at: late by at most this much. */
export const timeoutCheckMs = 5_000

/** An idle connection is kept a little longer than the 60 s of common proxies, so that they close first and never race us. */
export const keepAliveTimeoutMs = 65_000

/** After refusing a body the rest of it is thrown away for this long, so that the reply arrives before a reset can. */
export const lingerMs = 2_000

/** And no more than this many bytes of it. */
export const lingerBytesMax = 64 * 1024 * 1024

/** Longest path parameter, in characters: any id of ours and percent-encoded names. */
export const paramLengthMax = 512

/** Entries in `details`: enough to repair a form, too few to make a small request cause a huge reply. */
export const problemsMax = 50

/** Closing the server waits this long for running requests, then cuts them off. */
export const drainMs = 10_000

/** One WebSocket message from a client, in bytes: a console command with room to spare. */
export const socketMessageBytesMax = 64 * 1024

/** Between pings on a WebSocket; one that has not answered by the next ping is cut off. Below the 60 s idle limit of proxies. */
export const socketPingMs = 20_000

/** Unsent bytes on one WebSocket beyond which it is cut off whatever its handler thinks: a reader this slow has gone. */
export const socketBufferBytesMax = 8 * 1024 * 1024

/** Messages kept for a handler that has not called `onMessage` yet. */
export const socketEarlyMessagesMax = 32

/** How long a WebSocket may take to answer our close before it is cut off. */
export const socketCloseMs = 2_000

/** A reply over a link must be complete after this long: the slowest operation of a node answers at once and works on. */
export const linkReplyTimeoutMs = 30_000

/** A reply over a link that is kept in memory, in bytes: a thousand console lines with room to spare. Files are streamed. */
export const linkReplyBytesMax = 16 * 1024 * 1024

/** Messages of a WebSocket over a link that wait for their reader; beyond it the sender is held back. */
export const linkPendingMessagesMax = 100

/** One WebSocket message over a link, in bytes. */
export const linkMessageBytesMax = 16 * 1024 * 1024

/** A transfer over which nothing has moved for so long is cut off: a stalled phone comes back sooner, and both directions resume. */
export const transferIdleMs = 60_000

/** A reply to an upload over a link must begin this long after its last byte: the receiver writes as it reads. */
export const linkUploadReplyMs = 120_000
