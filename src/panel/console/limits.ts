/** How many of the newest lines a feed keeps for viewers that come later: as many as one may ask for. */
export const feedLinesMax = 1000

/** How many characters those lines may have together: a thousand long stack traces, and no node can make it more. */
export const feedCharsMax = 1_048_576

/** How much of one line is shown. A node cuts its lines; this holds for one that does not. */
export const lineCharsMax = 16_384
