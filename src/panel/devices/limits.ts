/** Every limit of signing in from a terminal. */

/** How long a code may be typed in, in milliseconds: what the edge contract's clients expect, and finding the phone fits. */
export const signInLifetimeMs = 10 * 60_000

/** Between two polls, in milliseconds: the number of RFC 8628 and of the edge contract. */
export const pollIntervalMs = 5_000

/** What a poll that comes too soon adds to it, in milliseconds: RFC 8628 says so. */
export const slowDownMs = 5_000

/** And what it grows to at most, in milliseconds: a client that waits longer has given up. */
export const pollIntervalMaxMs = 60_000

/** So much sooner a poll may come, in milliseconds: clocks, and networks that hold one back and not the next. */
export const pollLeewayMs = 1_000

/** Letters of a code for people: 20 consonants each, 34 random bits. With the limit below, guessing one of a hundred takes centuries. */
export const userCodeLength = 8

/** Codes that nobody has, for one account or from one address, in the window below: typing errors fit. */
export const wrongCodesMax = 20

/** Sign-ins that one address begins in the window below: a classroom behind one address fits. */
export const beginsPerAddress = 60

/** The window of both, in milliseconds. */
export const windowMs = 15 * 60_000

/** Sign-ins that wait at the same time, from everywhere: whoever floods us fills no disk, and codes stay hard to guess. */
export const waitingMax = 10_000
