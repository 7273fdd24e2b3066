/** Every limit of the accounts. */

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** argon2id as OWASP recommends it (19 MiB, 2 passes, 1 lane): 13 ms here, too slow and too large to guess with. */
export const argon2Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Passwords hashed at the same time: each takes a core and 19 MiB, and requests need the other cores. */
export const hashesAtOnceMax = 2

/** Hashes that wait their turn: about a second of work. Beyond it the caller is told to come back. */
export const hashesWaitingMax = 100

/** The window of the attempt limits below, in milliseconds. */
export const attemptWindowMs = 15 * minuteMs

/** Wrong passwords for one account from one address: typing errors fit, guessing does not. */
export const attemptsPerAccountAndAddress = 10

/** Wrong passwords for one account from everywhere: more than a few forgetful people, hopeless against any password that was not leaked. */
export const attemptsPerAccount = 100

/** Wrong passwords and secrets from one address for any account. */
export const attemptsPerAddress = 50

/** A session ends this long after its last use, in milliseconds. */
export const sessionIdleMs = 14 * dayMs

/** And this long after sign-in whatever happens, in milliseconds. */
export const sessionLifetimeMs = 90 * dayMs

/** Sessions of one account; signing in once more ends the one unused for longest. */
export const sessionsPerUserMax = 50

/** Of a browser's description of itself we keep this much: enough to recognise a device in a list. */
export const userAgentLengthMax = 200

/** How long a second step or a passkey may be waited for, in milliseconds: finding the phone takes a while. */
export const challengeLifetimeMs = 5 * minuteMs

/** An account without a password sets its first one this soon after signing in, in milliseconds: a browser left open does not do it. */
export const freshSessionMs = 10 * minuteMs

/** Wrong codes for one account from everywhere. Three codes of a million are right at a time: guessing takes months, and fills the log of the account. */
export const codesPerAccount = 20

/** Random bytes of an authenticator's secret: as long as the hash it is used with (RFC 4226). */
export const totpSecretBytes = 20

/** How long one code lasts, in seconds: what every app assumes. */
export const totpStepSeconds = 30

/** Codes before and after the present one that count too: clocks of phones are off, and typing takes time. */
export const totpStepsAside = 1

/** Recovery codes of one account: a sheet of paper, and years of lost phones. */
export const recoveryCodesCount = 10

/** Passkeys of one account: every device of a person and spare keys, in a list that is still read. */
export const passkeysPerUserMax = 20

/** SSH keys of one account: every machine of a person, in a list that is still read. */
export const sshKeysPerUserMax = 50

/** RSA keys below this are broken by those who pay for it, in bits (NIST SP 800-131A). */
export const sshRsaBitsMin = 2048

/** Above this, checking a signature is work to be abused, in bits. */
export const sshRsaBitsMax = 8192
