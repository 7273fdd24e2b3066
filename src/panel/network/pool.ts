/** The ports of the range that nobody has, lowest first. */
export function freePorts(range: { first: number; last: number }, taken: ReadonlySet<number>): number[] {
  const all = Array.from({ length: range.last - range.first + 1 }, (_, offset) => range.first + offset)
  return all.filter((port) => !taken.has(port))
}
