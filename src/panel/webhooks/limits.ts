/** Webhooks of one workspace: a channel for each kind of event, twice. */
export const webhooksMax = 25

/** Deliveries that may wait for one webhook: a busy day of one that is down. What comes then is counted and dropped. */
export const waitingMax = 1_000

/** How long deliveries are kept for people to look at, in ms. */
export const deliveryKeptMs = 7 * 24 * 60 * 60_000

/** Events older than that are not told any more, in ms: below `deliveryKeptMs`, so that none is told twice. */
export const eventAgeMaxMs = 24 * 60 * 60_000

/** How often a panel looks for what is due, in ms; a new event is delivered at once. */
export const lookEveryMs = 1_000

/** How often old deliveries are removed, in ms. */
export const tidyEveryMs = 10 * 60_000

/** Webhooks that one panel delivers to at a time: one that hangs takes one of these places and nobody else's. */
export const atOnceMax = 16

/** Deliveries made in a row to one webhook before the next one has its turn. */
export const batchMax = 10

/** How long one attempt may take from the look-up of the name to the head of the answer, in ms. */
export const attemptMs = 10_000

/** The pauses between attempts, in ms: a restart is hardly felt, and a receiver that is down for a day gets everything. */
export const retryMs = [
  10_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000,
] as const

/** The longest pause that a receiver may ask for, in ms. */
export const retryAfterMaxMs = 3_600_000

/** A webhook that failed for so long, this often in a row and never worked in between, is switched off; in ms. */
export const disableAfterMs = 3 * 24 * 60 * 60_000
export const disableAfterFailures = 10

/** How long deliveries are signed with the secret before, too, in ms: a day to change it at the receiver. */
export const oldSecretMs = 24 * 60 * 60_000

/** How old what a panel remembers of who wants which event may be, in ms: another panel may have changed it. */
export const wantedEveryMs = 5_000

/** Characters of an event's message and of what went wrong with a delivery. */
export const messageCharsMax = 500

/** Deliveries of one page unless asked otherwise. */
export const pageDefault = 30
