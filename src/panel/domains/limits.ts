/** How often a panel looks for domains that something is to be done for, ms. */
export const lookEveryMs = 2_000

/** Domains that one panel works on at a time: a slow name server takes one of these places and nobody else's. */
export const atOnceMax = 8

/** One question to the DNS, and how often it is asked, ms. */
export const dnsTimeoutMs = 4_000
export const dnsTries = 2

/** Of records that are not ours people are shown the first ones, and of each so many characters. */
export const foundMax = 10
export const foundCharsMax = 200

/** A look that people ask for makes sense again after this, ms: answers are remembered by resolvers for longer. */
export const askAgainMs = 5_000

/** A proof must be as young as this when a certificate is ordered, ms. */
export const freshProofMs = 3_600_000

/** Orders of one workspace and of all together within `budgetMs`: below the 300 in 3 hours and 50 a domain and week of a common authority. */
export const ordersPerWorkspaceMax = 40
export const ordersMax = 400
export const budgetMs = 7 * 86_400_000

/** The pauses after failed attempts, ms: a common authority takes five failures an hour for one name. */
export const retryMs = [60_000, 900_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000] as const

/** An order that has not ended within this time is given up, ms: slow validation takes minutes. */
export const orderMs = 15 * 60_000

/** How often an order is looked at, ms, unless the authority asks for longer pauses. */
export const orderPollMs = 1_000

/** How long to wait for what a certificate needs beside time, ms: a tunnel that is open, a record that is there. */
export const conditionsPauseMs = 30_000

/** The renewal comes this late in a certificate's life unless the authority names a time. */
export const renewAfterShare = 2 / 3

/** Renewals of certificates that were made together are spread over this share of their life. */
export const renewSpreadShare = 0.05

/** How often the authority is asked when a certificate should be renewed, ms. */
export const renewalInfoMs = 6 * 3_600_000

/** One request to the authority, ms. */
export const acmeRequestMs = 20_000

/** Bytes of one answer of the authority: a chain of certificates has a few KiB. */
export const acmeAnswerBytesMax = 256 * 1024

/** How often a request is repeated whose nonce was refused. */
export const acmeNonceTriesMax = 8

/** Owners who get a letter when a proof is gone. */
export const ownersToldMax = 5
