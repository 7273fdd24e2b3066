/** How long a mail server may take to accept a letter while somebody waits for the reply, in milliseconds. */
export const sendWaitMs = 15_000

/** The same for each of its answers on the way, in milliseconds. */
export const answerWaitMs = 8_000

/** Letters that one person has sent per hour: more than anybody invites by hand, too few to annoy strangers by. */
export const lettersPerHourMax = 30
export const letterWindowMs = 60 * 60 * 1000

/** People whose letters are counted at a time. */
export const sendersMax = 10_000

/** Characters of a name that a letter repeats: the rest would only push the words that matter out of sight. */
export const nameCharsMax = 80
