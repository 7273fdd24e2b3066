/** A ticket to upload is good for this long, in ms: a large file on a slow line; revoking its maker's rights ends it at once. */
export const uploadTicketMs = 60 * 60_000

/** A download link is good for this long, in ms: it ends up in histories and chats. A download that has begun goes on. */
export const downloadTicketMs = 10 * 60_000

/** What a node is given for work that depends on how many files there are, in ms; a little more than it gives itself. */
export const longAnswerMs = 16 * 60_000

/** Files of one form. */
export const formFilesMax = 1000
