/** How often a running game is asked, in ms: half as old as that is what people see. */
export const queryEveryMs = 15_000

/** The first time after it began to run, in ms: most games listen before they say that they are ready. */
export const firstQueryMs = 2_000

/** A game that does not answer is asked less and less often, at most this rarely, in ms; not where a watchdog waits for it. */
export const queryMostMs = 120_000

/** How long one game may take for its whole answer, in ms: it is on this machine. */
export const answerWaitMs = 3_000

/** Games that are asked at the same moment: two hundred have their turn within seconds and nobody notices. */
export const queriesAtOnce = 16

/** How often the node looks whose turn it is, in ms. */
export const lookEveryMs = 1_000

/** Unanswered questions after which what was known of its players is forgotten. */
export const failuresForgotten = 3

/** How often a heartbeat is asked for in the console, in ms: each answer is a line that people must read past. */
export const heartbeatEveryMs = 60_000

/** How long the console may take to answer, in ms. */
export const heartbeatWaitMs = 10_000

/** Bytes of one answer over TCP: a Minecraft status with its picture is a tenth of it. */
export const answerBytesMax = 256 * 1024

/** Datagrams of one answer: a Source server with two hundred players sends six. */
export const answerDatagramsMax = 32

/** Incidents kept per server on its node: the panel has them all once it has been there. */
export const incidentsKept = 10

/** Characters of a console line in an incident. */
export const incidentLineCharsMax = 500
