/** Every limit of SFTP, with why. */

/** Connections at a time: more than the people of one machine's servers have open, little enough memory to be given to strangers. */
export const connectionsMax = 256

/** Of one address: a client that moves files side by side, behind one router with a few others. */
export const connectionsPerAddressMax = 32

/** Connections of nobody known yet; the oldest makes room. The places of those who are in are never taken by strangers. */
export const strangersMax = 64

/** Sessions of one account on this node: several clients that move files side by side. */
export const sessionsPerUserMax = 16

/** New connections of one address: as many at once, and so many a second in the long run. Each costs a key exchange, some ms; clients that move many files make a dozen a run. */
export const connectsPerAddress = { burst: 200, perSecond: 10, keysMax: 10_000 } as const

/** Time to be let in, in ms: enough to type a password and a code, as OpenSSH gives it. */
export const signInMs = 120_000

/** Wrong passwords and codes of one connection, as OpenSSH has it. */
export const triesMax = 6

/** Keys that a client may offer before one fits: agents hold many. */
export const keysOfferedMax = 20

/** Whatever a client tries to get in, it tries at most so often on one connection. */
export const attemptsMax = 60

/** What a wrong password costs, in ms: nothing to a person, all to who guesses over one connection. */
export const wrongDelayMs = 1_000

/** A session in which nothing is asked for ends after this, in ms: nobody sits there any more. */
export const idleMs = 30 * 60_000

/** SFTP channels of one connection: clients open one, a few open several. */
export const channelsMax = 4

/** Files and folders that one channel may hold open: each is a descriptor of this process. Clients open some dozens at most. */
export const handlesMax = 128

/** One request, in bytes: what OpenSSH's own server takes, and its head. */
export const packetBytesMax = 256 * 1024 + 1024

/** What one read or write may carry, in bytes. */
export const blockBytesMax = 255 * 1024

/** A client that takes no replies gets no more once so much waits, in bytes. */
export const repliesWaitingBytesMax = 1024 * 1024

/** And is let go of at this, in bytes: only protocol messages that nobody reads get there. */
export const bufferedBytesMax = 8 * 1024 * 1024

/** Entries of one reply to a listing. */
export const entriesPerReply = 100

/** How long a panel is waited for, in ms: hashing a password takes its turn there. */
export const answerMs = 20_000

/** Questions that wait for a panel: beyond it people are told to come back. */
export const questionsMax = 64

/** A session whose panel is away goes on for so long, in ms: a restart of the panel is over by then. */
export const resumeMs = 60_000

/** What people do is told together, so often, in ms. */
export const actsEveryMs = 5_000

/** And at the latest when so many different things have been done. */
export const actsWaitingMax = 100
