/** Every limit on who may ask how often. */

/** The window of every request limit below, in milliseconds. */
export const rateWindowMs = 60_000

/** Requests a minute of one key on plan `standard`: the API document's number. Plan `enterprise` has the workspace's own. */
export const keyRequestsPerMinute = 180

/** Requests a minute of one session: a page of the web UI asks for a dozen things at once, and people keep several open. */
export const sessionRequestsPerMinute = 600

/** Requests a minute of one address without credentials: the document, a sign-in form and its mistakes fit many times over. */
export const anonymousRequestsPerMinute = 120

/** Refused credentials a minute from one address: a misconfigured client is slowed down, a guesser gains nothing. Right ones always pass. */
export const failedAuthenticationsPerMinute = 20

/** Requests a minute with one ticket: the chunks of an upload, the parts that a download manager fetches at once. */
export const ticketRequestsPerMinute = 600

/** Addresses remembered for limiting; the one unseen for longest is forgotten first. 20,000 are about 4 MB. */
export const addressesMax = 20_000

/** Callers remembered for limiting and as known to be valid: 10,000 busy keys on one panel. */
export const callersMax = 10_000

/** Remembered (caller, server) pairs. */
export const serverAccessMax = 50_000

/** With several panels on one database, how long something may be remembered without having been read again, in milliseconds. */
export const sharedAgeMaxMs = 30_000

/** How late `lastUsedAt` may be in the database, in milliseconds: one write for many requests. */
export const lastUsedDelayMs = 5_000
