/** A node that is here now, as placement sees it. */
export interface Candidate {
  id: string
  name: string
  memoryMib: number
  /** The memory of every server already placed there, whether it runs or not. */
  promisedMib: number
}

/**
 * The nodes that can take a server of `memoryMib`, the one with the most unpromised memory first; equal ones by name, so
 * that the choice can be foretold.
 */
export function rankNodes(candidates: readonly Candidate[], memoryMib: number): Candidate[] {
  return candidates
    .filter((candidate) => freeMib(candidate) >= memoryMib)
    .sort((left, right) => freeMib(right) - freeMib(left) || (left.name < right.name ? -1 : 1))
}

export const freeMib = (candidate: Candidate): number => candidate.memoryMib - candidate.promisedMib

/** The lowest port of the range that nobody has, or null. */
export function firstFreePort(range: { first: number; last: number }, taken: ReadonlySet<number>): number | null {
  for (let port = range.first; port <= range.last; port += 1) if (!taken.has(port)) return port
  return null
}
