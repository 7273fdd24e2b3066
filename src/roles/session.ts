/** How a role is told to end, what it says to the person who started it, and where the program's own files are. */
export interface Session {
  signal: AbortSignal
  root: string
  say(line: string): void
}

/** Resolves once the role is to end. */
export const untilInterrupted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
