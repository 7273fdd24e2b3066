/** How long a command of Valkey's may take, in ms: a thousand times what it takes on a healthy network, and hardly felt. */
export const answerWaitMs = 250

/** How long connecting may take, in ms; so long a panel waits for it when it starts. */
export const connectWaitMs = 2_000

/** After a command that was not answered nobody asks for this long, in ms; then one request tries whether it is back. */
export const pauseMs = 1_000

/** The longest pause between two tries to connect, in ms. */
export const reconnectMostMs = 5_000

/** Questions on their way at a time: each is some 200 bytes, and past this a panel answers for itself. */
export const questionsAtOnceMax = 2_000

/** How long a refusal is remembered at most, in ms: whoever goes on asking costs no question each time, and what is given back elsewhere counts soon. */
export const refusalKeptMs = 1_000

/** This part of a limit is taken at once for the requests to come: few questions, and little that is left unused at another panel. */
export const leaseShare = 1 / 20
