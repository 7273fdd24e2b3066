/**
 * How long a test waits for what must happen, ms: a hundred times what it takes on an idle machine, so that a busy one never
 * gets there. Below the time limit of a whole test, so that it ends with words of its own.
 */
export const patienceMs = 120_000
