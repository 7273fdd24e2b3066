import type { Excluded } from '../excluded.ts'
import { walkTree } from '../tree.ts'

/** What is to be backed up, and how much it is. */
export interface Cover {
  /**
   * The fewest paths, relative to the root, that together hold everything but what is left out; null for the root as a whole. A
   * folder of which nothing is kept is in none of them.
   */
  paths: Buffer[] | null
  bytes: number
  tooDeep: Buffer[]
}

/**
 * Looks at everything under `root` without following links. Patterns are applied here, so that they mean the same as for archives;
 * sockets, pipes and devices are left out.
 * @throws what `check` throws; it is asked after each file with the bytes so far.
 */
export async function coverOf(root: string, excluded: Excluded, check: (bytes: number) => void): Promise<Cover> {
  /** Folders that something is left out of, somewhere below. One character for each byte. */
  const broken = new Set<string>()
  const leave = (path: Buffer): void => {
    for (let at = parentOf(path.toString('latin1')); !broken.has(at); at = parentOf(at)) {
      broken.add(at)
      if (at === '') return
    }
  }
  const tooDeep: Buffer[] = []
  let bytes = 0
  const deep = (path: Buffer): void => {
    tooDeep.push(path)
    leave(path)
  }
  for await (const found of walkTree(root, excluded, deep, leave)) {
    if (found.kind === 'file') bytes += found.sizeBytes
    check(bytes)
  }
  if (broken.size === 0) return { paths: null, bytes, tooDeep }
  const paths: Buffer[] = []
  const ignoreDeep = (): void => undefined
  const deepPaths = new Set(tooDeep.map((path) => path.toString('latin1')))
  for await (const { path } of walkTree(root, excluded, ignoreDeep)) {
    check(bytes)
    const text = path.toString('latin1')
    if (broken.has(parentOf(text)) && !broken.has(text) && !deepPaths.has(text)) paths.push(path)
  }
  return { paths, bytes, tooDeep }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
