import ignore, { type Ignore } from 'ignore'

/** Whether a path, relative to the server's folder, is left out of a backup. What is in a folder that is left out is never asked for. */
export type Excluded = (path: string, isFolder: boolean) => boolean

/** The package remembers every answer; begun anew this often, it stays small also for a million files. */
const answersMax = 20_000

/** Reads patterns in the syntax of `.gitignore`, one a line. */
export function excludedBy(patterns: string): Excluded {
  if (patterns.trim() === '') return () => false
  const begin = (): Ignore => ignore({ allowRelativePaths: true }).add(patterns)
  let rules = begin()
  let answers = 0
  return (path, isFolder) => {
    answers += 1
    if (answers % answersMax === 0) rules = begin()
    return rules.ignores(isFolder ? `${path}/` : path)
  }
}
